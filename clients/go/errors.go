package sidecar

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Kinds of the client's own errors.
const (
	// The sidecar could not be started: a [StartError].
	KindSpawnFailed ErrorKind = "spawn_failed"
	// The sidecar ended, or cannot be understood: a [DisconnectedError].
	KindDisconnected ErrorKind = "disconnected"
	// The sidecar speaks another version of the protocol: a [VersionError].
	KindIncompatible ErrorKind = "incompatible"
	// An answer breaks the protocol: it cannot be read, or a listing does not end.
	KindInvalidResponse ErrorKind = "invalid_response"
	// The client was closed: [ErrClosed].
	KindClosed ErrorKind = "closed"
)

// ErrClosed is the error of calls on a client that was closed.
var ErrClosed = fmt.Errorf("the client is %w", KindClosed)

// Error makes a kind a target of [errors.Is].
func (k ErrorKind) Error() string { return string(k) }

// Error gives the kind and the message.
func (e *Error) Error() string {
	if e.Data.Kind == "" {
		return fmt.Sprintf("error %d: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Data.Kind, e.Message)
}

// Is tells whether the target is the error's kind.
func (e *Error) Is(target error) bool { return target == e.Data.Kind }

// StartError is the error of a sidecar that could not be started or did not answer its first
// request.
type StartError struct {
	Command string // as it was to be run
	Err     error
	hint    string
}

// Error says what went wrong, and what may help.
func (e *StartError) Error() string {
	return fmt.Sprintf("sidecar: cannot start %s: %v%s", e.Command, e.Err, e.hint)
}

// Unwrap gives what went wrong.
func (e *StartError) Unwrap() error { return e.Err }

// Is tells whether the target is [KindSpawnFailed].
func (e *StartError) Is(target error) bool { return target == KindSpawnFailed }

// VersionError is the error of a sidecar whose protocol has another major version.
type VersionError struct {
	Client string     // the protocol version of this package
	Server string     // that of the sidecar
	Info   ServerInfo // who the sidecar is
}

// Error names both versions and says what to do.
func (e *VersionError) Error() string {
	who := cmp.Or(strings.TrimSpace(e.Info.Name+" "+e.Info.Version), "what answers")
	if e.Server == "" {
		return "sidecar: " + who + " names no version of the protocol: it is not a flyte-sidecar"
	}
	return fmt.Sprintf("sidecar: %s speaks protocol %q, this client %q: install versions of the two"+
		" whose protocols have the same major number", who, e.Server, e.Client)
}

// Is tells whether the target is [KindIncompatible].
func (e *VersionError) Is(target error) bool { return target == KindIncompatible }

// DisconnectedError is the error of a sidecar that ended, or whose output cannot be understood,
// before it answered. Whether a write that was under way happened is not known.
type DisconnectedError struct {
	State  *os.ProcessState // how the process ended; nil where that is not known
	Stderr string           // the last 4 KiB that it wrote there
	Err    error            // what the connection met: io.EOF, most often
}

const toldLines = 5

// Error says how the sidecar ended, and the last lines of its stderr.
func (e *DisconnectedError) Error() string {
	text := "the connection to the sidecar ended"
	if e.State != nil {
		text = fmt.Sprintf("the sidecar ended (%v)", e.State)
	}
	if e.Err != nil && !errors.Is(e.Err, io.EOF) {
		text += ": " + e.Err.Error()
	}
	if lines := strings.Split(strings.TrimSpace(e.Stderr), "\n"); lines[0] != "" {
		text += "; its stderr: " + strings.Join(lines[max(0, len(lines)-toldLines):], "\n")
	}
	return text
}

// Unwrap gives what the connection met.
func (e *DisconnectedError) Unwrap() error { return e.Err }

// Is tells whether the target is [KindDisconnected].
func (e *DisconnectedError) Is(target error) bool { return target == KindDisconnected }

// readError reads an error object: what can be read stands.
func readError(object json.RawMessage) *Error {
	e := new(Error)
	_ = json.Unmarshal(object, e)
	if e.Message == "" {
		e.Message = fmt.Sprintf("%.200s", object)
	}
	return e
}

// UnmarshalJSON reads each member by itself. A newer sidecar's may be of types that this package
// does not expect, and must not hide the kind or the outcome.
func (d *ErrorData) UnmarshalJSON(data []byte) error {
	type plain ErrorData
	var members map[string]json.RawMessage
	_ = json.Unmarshal(data, &members)
	for name, value := range members {
		member, err := json.Marshal(map[string]json.RawMessage{name: value})
		if err == nil {
			_ = json.Unmarshal(member, (*plain)(d))
		}
	}
	return nil
}

// reason gives why a context has ended: its error, and its cause where that is another.
func reason(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// cancelled gives the error of a call whose context ended and that the sidecar did not answer.
func cancelled(cause error, outcome Outcome, message string) error {
	return fmt.Errorf("%w: %w", cause, &Error{
		Code:    codeCancelled,
		Message: message,
		Data:    ErrorData{Kind: KindRequestCancelled, Outcome: outcome},
	})
}

const (
	codeMethodNotFound = -32601
	codeCancelled      = -32800
)
