package sidecar

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

func TestAnEncodedPayloadKeepsItsTypeForEveryReader(t *testing.T) {
	for _, c := range []struct {
		payload Payload
		json    string
	}{
		{Bool(false), `false`},
		{Int(math.MaxInt64), `9223372036854775807`},
		{Int(math.MinInt64), `-9223372036854775808`},
		{Float(3), `3.0`},
		{Float(math.Copysign(0, -1)), `-0.0`},
		{Float(1 << 60), `1.152921504606847e+18`},
		{Float(1e21), `1e+21`},
		{Float(0.1), `0.1`},
		{Float(math.NaN()), `"NaN"`},
		{Float(math.Inf(1)), `"Infinity"`},
		{Float(math.Inf(-1)), `"-Infinity"`},
		{Str("NaN"), `"NaN"`},
		{Str(""), `""`},
	} {
		if got, err := json.Marshal(c.payload); err != nil || string(got) != c.json {
			t.Errorf("%T %v is encoded as %s (%v), not %s", c.payload, c.payload, got, err, c.json)
		}
	}
}

func TestAPayloadIsDecodedAsTheExpectedTypeOfItsEvent(t *testing.T) {
	for _, c := range []struct {
		json, expected string
		payload        Payload
	}{
		{`true`, `"bool"`, Bool(true)},
		{`3`, `"int"`, Int(3)},
		{`"9223372036854775807"`, `"int"`, Int(math.MaxInt64)},
		{`"-9007199254740993"`, `"int"`, Int(-9007199254740993)},
		{`3.0`, `"float"`, Float(3)},
		{`3`, `"float"`, Float(3)},
		{`"Infinity"`, `"float"`, Float(math.Inf(1))},
		{`"-Infinity"`, `"float"`, Float(math.Inf(-1))},
		{`"9007199254740993"`, `"str"`, Str("9007199254740993")},
		{`"NaN"`, `"str"`, Str("NaN")},
		{`null`, `"str"`, nil},
		{`3`, `null`, Int(3)},
		{`3.0`, `null`, Float(3)},
		{`"NaN"`, `null`, Str("NaN")},
		{`"2026-01-01"`, `"date"`, Str("2026-01-01")},
	} {
		var event Event
		text := fmt.Sprintf(`{"payload":%s,"expectedType":%s}`, c.json, c.expected)
		if err := json.Unmarshal([]byte(text), &event); err != nil || event.Payload != c.payload {
			t.Errorf("%s is decoded as %T %v (%v)", text, event.Payload, event.Payload, err)
		}
	}
	var event Event
	if err := json.Unmarshal([]byte(`{"payload":"NaN","expectedType":"float"}`), &event); err != nil {
		t.Fatal(err)
	}
	if number, ok := event.Payload.(Float); !ok || !math.IsNaN(float64(number)) {
		t.Errorf("NaN is decoded as %T %v", event.Payload, event.Payload)
	}
}

func TestAnEncodedEventIsDecodedUnchanged(t *testing.T) {
	for _, payload := range []Payload{Bool(true), Int(math.MaxInt64), Float(math.Inf(1)), Float(2), Str("3"), nil} {
		event := Event{Name: "n", Payload: payload}
		if payload != nil {
			event.ExpectedType = payload.payloadType()
		}
		text, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		var again Event
		if err := json.Unmarshal(text, &again); err != nil || again != event {
			t.Errorf("%s is decoded as %v (%v)", text, again, err)
		}
	}
}

func TestASignalHasTheTypeOfItsPayload(t *testing.T) {
	params := SignalParams{RunName: "r1", Name: "n", Payload: Float(math.NaN())}
	text, err := json.Marshal(params)
	if want := `{"runName":"r1","name":"n","payload":"NaN","payloadType":"float"}`; string(text) != want {
		t.Errorf("%s (%v)", text, err)
	}
	params.PayloadType = ExpectedTypeStr
	if text, err = json.Marshal(params); string(text) != `{"runName":"r1","name":"n","payload":"NaN","payloadType":"str"}` {
		t.Errorf("%s (%v)", text, err)
	}
}

func TestAStrThatIsNotUTF8IsAnError(t *testing.T) {
	if text, err := json.Marshal(SignalParams{Payload: Str("\xff")}); err == nil {
		t.Errorf("it is encoded as %q", text)
	}
}
