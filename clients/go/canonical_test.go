package sidecar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// canonical gives a value by its JSON, so that two that say the same are equal: null, absent and
// zero; an instant however it is written; a payload by its type.
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
	return plainly(plain)
}

func plainly(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if member = plainly(member); member == nil || member == "" {
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
			value[i] = plainly(item)
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
		instant, err := time.Parse(time.RFC3339Nano, value)
		switch {
		case err == nil && instant.IsZero():
			return nil
		case err == nil:
			return instant.UTC().String()
		}
	}
	return value
}

// typeOf gives the type of a payload: of a whole number in a string, if one is expected, int.
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
