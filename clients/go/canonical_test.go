package sidecar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// canonical returns a value as JSON in a form in which equivalent values are equal: null, absent and
// zero; different formats of a timestamp; payloads of the same type.
func canonical(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return err
	}
	return canonicalize(plain)
}

func canonicalize(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if member = canonicalize(member); member == nil || member == "" {
				delete(value, name)
				continue
			}
			value[name] = member
		}
		if payload := value["payload"]; payload != nil && value["expectedType"] != nil {
			value["payload"] = fmt.Sprintf("%v of type %v", payload, typeOf(payload, value["expectedType"]))
		}
	case []any:
		for i, item := range value {
			value[i] = canonicalize(item)
		}
	case json.Number:
		if whole, err := value.Int64(); err == nil && whole == 0 {
			return nil
		} else if err == nil {
			return whole
		}
		number, _ := value.Float64()
		return number
	case string:
		timestamp, err := time.Parse(time.RFC3339Nano, value)
		switch {
		case err == nil && timestamp.IsZero():
			return nil
		case err == nil:
			return timestamp.UTC().String()
		}
	}
	return value
}

// typeOf returns the type of a payload: int for digits in a string, if an int is expected.
func typeOf(payload, expected any) string {
	switch payload := payload.(type) {
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		if _, err := strconv.ParseInt(payload, 10, 64); err == nil && expected == "int" {
			return "int"
		}
		if expected == "float" && strings.Contains("NaN Infinity -Infinity", payload) {
			return "float"
		}
	}
	return "str"
}
