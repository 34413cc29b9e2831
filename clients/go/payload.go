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
	// payloadType gives the type of event that it answers.
	payloadType() ExpectedType
}

// Bool answers events that take a bool.
type Bool bool

// Int answers events that take an int.
type Int int64

// Float answers events that take a float, NaN and the infinities among them.
type Float float64

// Str answers events that take a str. It has to be valid UTF-8.
type Str string

func (Bool) payloadType() ExpectedType  { return ExpectedTypeBool }
func (Int) payloadType() ExpectedType   { return ExpectedTypeInt }
func (Float) payloadType() ExpectedType { return ExpectedTypeFloat }
func (Str) payloadType() ExpectedType   { return ExpectedTypeStr }

// MarshalJSON gives a number that is no integer to any reader, or the name of a value that JSON
// has no number for.
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

// MarshalJSON refuses what is not UTF-8, which encoding/json would replace.
func (s Str) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(s)) {
		return nil, errors.New("a Str has to be valid UTF-8")
	}
	return json.Marshal(string(s))
}

// MarshalJSON fills PayloadType in from the payload where it is empty.
func (p SignalParams) MarshalJSON() ([]byte, error) {
	if p.PayloadType == "" && p.Payload != nil {
		p.PayloadType = p.Payload.payloadType()
	}
	type plain SignalParams
	return json.Marshal(plain(p))
}

// UnmarshalJSON gives the payload the type that the event takes.
func (e *Event) UnmarshalJSON(data []byte) error {
	type plain Event
	type event struct { // has a name for the errors' sake
		*plain
		Payload json.RawMessage `json:"payload"`
	}
	read := event{plain: (*plain)(e)}
	err := json.Unmarshal(data, &read)
	if err == nil {
		e.Payload, err = readPayload(read.Payload, e.ExpectedType)
	}
	return err
}

// readPayload reads a payload as an event's of the expected type; where that is silent, or names
// what the payload is not, as the JSON says.
func readPayload(data json.RawMessage, expected ExpectedType) (Payload, error) {
	switch {
	case isNull(data):
		return nil, nil
	case data[0] == 't' || data[0] == 'f':
		return Bool(data[0] == 't'), nil
	case data[0] == '"':
		var text string
		err := json.Unmarshal(data, &text)
		return readString(text, expected), err
	case data[0] == '{' || data[0] == '[':
		return nil, fmt.Errorf("a payload is a bool, a number or a string: %.20s", data)
	default:
		return readNumber(string(data), expected)
	}
}

func readNumber(text string, expected ExpectedType) (Payload, error) {
	if expected != ExpectedTypeFloat {
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Int(number), nil
		}
	}
	number, err := strconv.ParseFloat(text, 64)
	return Float(number), err
}

func readString(text string, expected ExpectedType) Payload {
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
