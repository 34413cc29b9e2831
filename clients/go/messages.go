package sidecar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// request is a request, or without an id a notification.
type request struct {
	Version string `json:"jsonrpc"`
	ID      *int64 `json:"id,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

// refusal answers what only a newer sidecar would ask of its client.
type refusal struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// message is whatever comes from the sidecar.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func encode(message any) ([]byte, error) {
	text, err := json.Marshal(message)
	return append(text, '\n'), err
}

func cancelRequest(id int64) []byte {
	line, _ := encode(request{"2.0", nil, "$/cancelRequest", map[string]int64{"id": id}})
	return line
}

func (m message) answer() answer {
	if isNull(m.Error) {
		return answer{result: m.Result}
	}
	return answer{err: readError(m.Error)}
}

func isNull(value json.RawMessage) bool {
	return len(value) == 0 || bytes.Equal(value, []byte("null"))
}

// take does what a line from the sidecar asks for. It must not wait for anything.
func (c *connection) take(line []byte) error {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return fmt.Errorf("its output is not JSON-RPC: %.100q", line)
	}
	switch {
	case m.Method == "":
		if id, err := strconv.ParseInt(string(m.ID), 10, 64); err == nil {
			c.calls.answer(id, m.answer())
		}
	case isNull(m.ID):
		if newNotice, known := notices[m.Method]; known {
			notice := newNotice()
			err := json.Unmarshal(m.Params, notice)
			watch := notice.watchName()
			if err != nil {
				err = invalid("a notification cannot be read: %w", err)
				watch = watchOf(m.Params) // the notice may have been given up before it
			}
			c.calls.tell(watch, notice, err)
		}
	default:
		refused := refusal{Version: "2.0", ID: m.ID}
		refused.Error.Code = codeMethodNotFound
		refused.Error.Message = "this client serves no methods"
		line, _ := encode(refused)
		select {
		case c.refusals <- line:
		default: // a peer that asks and does not read gets no more
		}
	}
	return nil
}

func watchOf(params json.RawMessage) string {
	var of struct {
		Watch string `json:"watch"`
	}
	_ = json.Unmarshal(params, &of)
	return of.Watch
}
