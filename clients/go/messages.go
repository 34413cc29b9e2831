package sidecar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// request is a request or, without an id, a notification.
type request struct {
	Version string `json:"jsonrpc"`
	ID      *int64 `json:"id,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params,omitempty"`
}

// rejection is the error response to a request of the sidecar. Only a newer sidecar sends requests.
type rejection struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// message is any message of the sidecar.
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

func (m message) response() response {
	if isNull(m.Error) {
		return response{result: m.Result}
	}
	return response{err: decodeError(m.Error)}
}

func isNull(value json.RawMessage) bool {
	return len(value) == 0 || bytes.Equal(value, []byte("null"))
}

// handle handles a line of the sidecar. It must not block.
func (c *connection) handle(line []byte) error {
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return fmt.Errorf("the sidecar's output is not JSON-RPC: %.100q", line)
	}
	switch {
	case m.Method == "":
		if id, err := strconv.ParseInt(string(m.ID), 10, 64); err == nil {
			c.calls.resolve(id, m.response())
		}
	case isNull(m.ID):
		c.notify(m)
	default:
		c.reject(m.ID)
	}
	return nil
}

// notify passes a notification to its watch, or a login to its handler. Unknown notifications are
// dropped.
func (c *connection) notify(m message) {
	if m.Method == "sidecar.authRequired" {
		var login AuthRequired
		if json.Unmarshal(m.Params, &login) == nil {
			go c.onAuthRequired(&login)
		}
		return
	}
	newNotification, known := newNotifications[m.Method]
	if !known {
		return
	}
	notification := newNotification()
	err := json.Unmarshal(m.Params, notification)
	watch := notification.watchName()
	if err != nil {
		err = invalidResponse("a notification cannot be decoded: %w", err)
		watch = decodeWatchName(m.Params) // decoding may have failed before it
	}
	c.calls.notify(watch, notification, err)
}

// reject responds to a request of the sidecar that this client implements no methods.
func (c *connection) reject(id json.RawMessage) {
	rejected := rejection{Version: "2.0", ID: id}
	rejected.Error.Code = codeMethodNotFound
	rejected.Error.Message = "this client implements no methods"
	line, _ := encode(rejected)
	select {
	case c.rejections <- line:
	default: // drop it: the sidecar sends requests but does not read responses
	}
}

func decodeWatchName(params json.RawMessage) string {
	var decoded struct {
		Watch string `json:"watch"`
	}
	_ = json.Unmarshal(params, &decoded)
	return decoded.Watch
}
