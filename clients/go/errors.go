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
	// KindSpawnFailed means that the sidecar could not be started: a [StartError].
	KindSpawnFailed ErrorKind = "spawn_failed"
	// KindDisconnected means that the sidecar exited or wrote invalid output: a
	// [DisconnectedError].
	KindDisconnected ErrorKind = "disconnected"
	// KindIncompatible means that the sidecar uses another major version of the protocol: a
	// [VersionError].
	KindIncompatible ErrorKind = "incompatible"
	// KindInvalidResponse means that a response violates the protocol: for example, its result
	// cannot be decoded, or a listing never ends.
	KindInvalidResponse ErrorKind = "invalid_response"
	// KindClosed means that the client is closed: [ErrClosed].
	KindClosed ErrorKind = "closed"
)

// ErrClosed is the error of calls on a closed client.
var ErrClosed = fmt.Errorf("client is %w", KindClosed)

// Error implements the error interface, so that a kind can be the target of [errors.Is].
func (k ErrorKind) Error() string { return string(k) }

// Error returns the kind and the message.
func (e *Error) Error() string {
	if e.Data.Kind == "" {
		return fmt.Sprintf("error %d: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Data.Kind, e.Message)
}

// Is reports whether target is the kind of the error.
func (e *Error) Is(target error) bool { return target == e.Data.Kind }

// StartError is the error of a sidecar that could not be started or did not respond to initialize.
type StartError struct {
	// Command is the program that was selected or run.
	Command string
	// Err is the cause.
	Err  error
	hint string
}

// Error returns the cause. If no command was found, it names all that was tried, and how to install it.
func (e *StartError) Error() string {
	return fmt.Sprintf("sidecar: cannot start %s: %v%s", e.Command, e.Err, e.hint)
}

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// Is reports whether target is [KindSpawnFailed].
func (e *StartError) Is(target error) bool { return target == KindSpawnFailed }

// VersionError is the error of a sidecar that uses another major version of the protocol.
type VersionError struct {
	// Client is the protocol version of this package.
	Client string
	// Server is the protocol version of the sidecar; empty if it reported none.
	Server string
	// Info is the name and version of the server.
	Info ServerInfo
}

// Error returns both versions and what to do.
func (e *VersionError) Error() string {
	server := cmp.Or(strings.TrimSpace(e.Info.Name+" "+e.Info.Version), "the server")
	if e.Server == "" {
		return "sidecar: " + server + " is not a flyte-sidecar: it reported no protocol version"
	}
	return fmt.Sprintf("sidecar: %s uses protocol version %q, this client %q: install versions of both"+
		" with the same major protocol version", server, e.Server, e.Client)
}

// Is reports whether target is [KindIncompatible].
func (e *VersionError) Is(target error) bool { return target == KindIncompatible }

// DisconnectedError is the error of calls whose sidecar exited or wrote invalid output before it
// responded. It is unknown whether a write in flight took effect.
type DisconnectedError struct {
	// State is the exit state of the process; nil if it is unknown.
	State *os.ProcessState
	// Stderr is the end of what the sidecar wrote to stderr, at most 4 KiB.
	Stderr string
	// Err is the error of the stream, usually [io.EOF].
	Err error
}

const stderrLines = 5

// Error returns how the sidecar ended and the last lines of its stderr.
func (e *DisconnectedError) Error() string {
	text := "the connection to the sidecar ended"
	if e.State != nil {
		text = fmt.Sprintf("the sidecar exited (%v)", e.State)
	}
	if e.Err != nil && !errors.Is(e.Err, io.EOF) {
		text += ": " + e.Err.Error()
	}
	if lines := strings.Split(strings.TrimSpace(e.Stderr), "\n"); lines[0] != "" {
		text += "; stderr: " + strings.Join(lines[max(0, len(lines)-stderrLines):], "\n")
	}
	return text
}

// Unwrap returns the error of the stream.
func (e *DisconnectedError) Unwrap() error { return e.Err }

// Is reports whether target is [KindDisconnected].
func (e *DisconnectedError) Is(target error) bool { return target == KindDisconnected }

// decodeError decodes an error object, and ignores members that cannot be decoded.
func decodeError(object json.RawMessage) *Error {
	e := new(Error)
	_ = json.Unmarshal(object, e)
	if e.Message == "" {
		e.Message = fmt.Sprintf("%.200s", object)
	}
	return e
}

// UnmarshalJSON decodes each member separately. A member of a newer sidecar may have an unexpected
// type, which must not hide the kind or the outcome.
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

// contextError returns the error of a context that is done, and its cause if that differs.
func contextError(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// cancelledError returns the error of a cancelled call to which the sidecar did not respond.
func cancelledError(cause error, outcome Outcome, message string) error {
	return fmt.Errorf("%w: %w", cause, &Error{
		Code:    codeCancelled,
		Message: message,
		Data:    ErrorData{Kind: KindRequestCancelled, Outcome: outcome},
	})
}

// invalidResponse returns the error of a response that violates the protocol.
func invalidResponse(format string, args ...any) error {
	return fmt.Errorf("%w: %w", KindInvalidResponse, fmt.Errorf(format, args...))
}

const (
	codeMethodNotFound = -32601
	codeCancelled      = -32800
)
