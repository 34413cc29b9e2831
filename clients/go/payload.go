package sidecar

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Payload is the answer to an event: a [Bool], an [Int], a [Float] or a [Str].
type Payload interface {
	// payloadType returns the expected type of the events that the payload answers.
	payloadType() ExpectedType
}

// Bool is the payload of an event of type bool.
type Bool bool

// Int is the payload of an event of type int.
type Int int64

// Float is the payload of an event of type float. It may be NaN or infinite.
type Float float64

// Str is the payload of an event of type str. It must be valid UTF-8.
type Str string

func (Bool) payloadType() ExpectedType  { return ExpectedTypeBool }
func (Int) payloadType() ExpectedType   { return ExpectedTypeInt }
func (Float) payloadType() ExpectedType { return ExpectedTypeFloat }
func (Str) payloadType() ExpectedType   { return ExpectedTypeStr }

// MarshalJSON returns a JSON number that no reader decodes as an integer, or one of the strings NaN,
// Infinity and -Infinity.
func (f Float) MarshalJSON() ([]byte, error) {
	switch value := float64(f); {
	case math.IsNaN(value):
		return []byte(`"NaN"`), nil
	case math.IsInf(value, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(value, -1):
		return []byte(`"-Infinity"`), nil
	default:
		text := strconv.FormatFloat(value, 'g', -1, 64)
		if !strings.ContainsAny(text, ".e") {
			text += ".0"
		}
		return []byte(text), nil
	}
}

// MarshalJSON returns an error if the string is not valid UTF-8: encoding/json would replace the
// invalid bytes.
func (s Str) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(s)) {
		return nil, errors.New("Str must be valid UTF-8")
	}
	return json.Marshal(string(s))
}

// MarshalJSON sets an empty PayloadType to the type of the payload.
func (p SignalParams) MarshalJSON() ([]byte, error) {
	if p.PayloadType == "" && p.Payload != nil {
		p.PayloadType = p.Payload.payloadType()
	}
	type plain SignalParams
	return json.Marshal(plain(p))
}

// MarshalJSON sets an empty PayloadType to the type of the payload.
func (p SignalManyParams) MarshalJSON() ([]byte, error) {
	if p.PayloadType == "" && p.Payload != nil {
		p.PayloadType = p.Payload.payloadType()
	}
	type plain SignalManyParams
	return json.Marshal(plain(p))
}

// UnmarshalJSON decodes the payload as the event's expected type.
func (e *Event) UnmarshalJSON(data []byte) error {
	type plain Event
	type event struct { // named, because encoding/json's errors contain the name
		*plain
		Payload json.RawMessage `json:"payload"`
	}
	decoded := event{plain: (*plain)(e)}
	err := json.Unmarshal(data, &decoded)
	if err == nil {
		e.Payload, err = decodePayload(decoded.Payload, e.ExpectedType)
	}
	return err
}

// decodePayload decodes a payload as the expected type. If that is empty, or the payload is of
// another type, the JSON type decides.
func decodePayload(data json.RawMessage, expected ExpectedType) (Payload, error) {
	switch {
	case isNull(data):
		return nil, nil
	case data[0] == 't' || data[0] == 'f':
		return Bool(data[0] == 't'), nil
	case data[0] == '"':
		var text string
		err := json.Unmarshal(data, &text)
		return decodeString(text, expected), err
	case data[0] == '{' || data[0] == '[':
		return nil, fmt.Errorf("payload must be a bool, a number or a string: %.20s", data)
	default:
		return decodeNumber(string(data), expected)
	}
}

func decodeNumber(text string, expected ExpectedType) (Payload, error) {
	if expected != ExpectedTypeFloat {
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Int(number), nil
		}
	}
	number, err := strconv.ParseFloat(text, 64)
	return Float(number), err
}

func decodeString(text string, expected ExpectedType) Payload {
	switch expected {
	case ExpectedTypeInt:
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Int(number)
		}
	case ExpectedTypeFloat:
		switch text {
		case "NaN":
			return Float(math.NaN())
		case "Infinity":
			return Float(math.Inf(1))
		case "-Infinity":
			return Float(math.Inf(-1))
		}
	}
	return Str(text)
}
