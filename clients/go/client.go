package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

const clientName = "flyte-sidecar-go"

const (
	// closeTimeout limits how long a sidecar may take to exit after the end of its input.
	closeTimeout = 15 * time.Second
	// cancelTimeout limits how long a sidecar may take to respond to a cancellation.
	cancelTimeout = 15 * time.Second
	// grace limits what normally completes immediately, such as the exit of a failed sidecar.
	grace = 2 * time.Second
)

// Client is a connection to one sidecar. It is safe for concurrent use.
type Client struct {
	Services

	connection *connection
	command    *Command
	server     InitializeResult
}

// Start runs a sidecar and connects to it; ctx limits only that. The sidecar exits when
// [Client.Close] is called, or when this process exits for any reason. The first start with uvx
// downloads the sidecar.
func Start(ctx context.Context, options Options) (*Client, error) {
	command, err := options.command()
	if err != nil {
		return nil, &StartError{Command: command.Path, Err: err}
	}
	client, err := connect(ctx, command, options)
	if err != nil && !errors.Is(err, KindIncompatible) {
		return nil, &StartError{command.Path, err, command.hint(err)}
	}
	return client, err
}

func connect(ctx context.Context, command *Command, options Options) (*Client, error) {
	if ctx.Err() != nil {
		return nil, contextError(ctx)
	}
	process, stdout, stdin, err := spawn(command, options)
	if err != nil {
		return nil, err
	}
	pid := os.Getpid()
	client, err := open(ctx, newConnection(process, stdout, stdin, options.OnAuthRequired), &pid)
	if err == nil {
		client.command = command
	}
	return client, err
}

// Attach connects to a sidecar that is already running: r reads its output, w writes to its input.
// ctx limits only the connecting. [Client.Close] closes w, and r if it is an [io.Closer]. If w has
// a CloseWrite method, as sockets have, Close first calls it and closes w after the last response.
// A login that a person must finish is logged by log.Print.
func Attach(ctx context.Context, r io.Reader, w io.WriteCloser) (*Client, error) {
	client, err := open(ctx, newStreamConnection(r, w), nil)
	if err != nil && !errors.Is(err, KindIncompatible) {
		err = fmt.Errorf("sidecar: cannot attach: %w", err)
	}
	return client, err
}

// open initializes a connection, and closes it if that fails.
func open(ctx context.Context, connection *connection, pid *int) (*Client, error) {
	client := &Client{connection: connection}
	client.Services = newServices(client)
	stop := context.AfterFunc(ctx, func() { connection.close(0) })
	err := client.initialize(ctx, pid)
	if !stop() {
		err = fmt.Errorf("no response to initialize: %w", contextError(ctx))
	}
	if err != nil {
		connection.close(grace)
		return nil, err
	}
	return client, nil
}

func (c *Client) initialize(ctx context.Context, pid *int) error {
	// The end of ctx closes the connection, so there is no response to a cancellation to wait for.
	ctx = context.WithoutCancel(ctx)
	params := map[string]any{
		"processId":  pid,
		"clientInfo": map[string]string{"name": clientName, "version": clientVersion},
	}
	result, err := c.connection.call(ctx, "initialize", params, nil)
	if err == nil {
		err = decode(result, &c.server)
	}
	if err != nil {
		return err
	}
	if major, _, ok := parseVersion(c.server.ProtocolVersion); !ok || major != ownMajor {
		return &VersionError{ProtocolVersion, c.server.ProtocolVersion, c.server.ServerInfo}
	}
	return c.connection.send(ctx, request{Version: "2.0", Method: "initialized"})
}

// Command returns the command that [Start] has run, and nil after [Attach].
func (c *Client) Command() *Command { return c.command }

// Server returns the sidecar's response to initialize.
func (c *Client) Server() *InitializeResult { return &c.server }

// VersionWarning returns a warning if the sidecar's protocol version is older than the one of this
// package, so that the sidecar may lack methods and params. Otherwise it returns an empty string.
func (c *Client) VersionWarning() string {
	if _, minor, _ := parseVersion(c.server.ProtocolVersion); minor >= ownMinor {
		return ""
	}
	return fmt.Sprintf("the sidecar (%s, protocol %s) is older than this client (protocol %s)",
		c.server.ServerInfo.Version, c.server.ProtocolVersion, ProtocolVersion)
}

// Done returns a channel that is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.connection.done }

// Err returns nil until the channel of [Client.Done] is closed. Then it returns [ErrClosed] if
// [Client.Close] ended the connection, else a [*DisconnectedError].
func (c *Client) Err() error {
	select {
	case <-c.connection.done:
		return c.connection.err
	default:
		return nil
	}
}

// Close ends waits and watches with [ErrClosed] and closes the sidecar's input. The sidecar
// responds to all other requests and exits. If it has not exited after 15 seconds, it is killed,
// together with its child processes. Close returns an error if the sidecar did not exit cleanly.
func (c *Client) Close() error { return c.connection.close(closeTimeout) }

// Call calls a method by name, also one that this package does not know. It stores the result in
// the value pointed to by result, as [json.Unmarshal] does; if result is nil, it discards it.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	return wrap(method, c.call(ctx, method, params, result, nil))
}

func (c *Client) call(ctx context.Context, method string, params, result any, queue *notificationQueue) error {
	data, err := c.connection.call(ctx, method, params, queue)
	if err == nil && result != nil {
		err = decode(data, result)
	}
	return err
}

func decode(data json.RawMessage, result any) error {
	if len(data) == 0 {
		return invalidResponse("the response has neither a result nor an error")
	}
	if err := json.Unmarshal(data, result); err != nil {
		return invalidResponse("the result cannot be decoded: %w", err)
	}
	return nil
}

func wrap(method string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sidecar: %s: %w", method, err)
}

// callMethod calls a method of the contract, which an older sidecar may lack.
func callMethod(ctx context.Context, c *Client, method string, params, result any) error {
	return c.explain(method, c.call(ctx, method, params, result, nil))
}

// explain adds to an error that the sidecar is older than this package, if that may be the cause.
func (c *Client) explain(method string, err error) error {
	var response *Error
	if warning := c.VersionWarning(); warning != "" && errors.As(err, &response) {
		switch response.Data.Kind {
		case KindMethodNotFound:
			response.Message = warning + " and lacks the method"
		case KindInvalidParams:
			response.Message += " (" + warning + ")"
		}
	}
	return wrap(method, err)
}

var errNullResult = invalidResponse("the result must not be null")

// callObject calls a method whose result is an object.
func callObject[T any](ctx context.Context, c *Client, method string, params any) (*T, error) {
	result, err := callValue[*T](ctx, c, method, params)
	if err == nil && result == nil {
		err = wrap(method, errNullResult)
	}
	return result, err
}

// callValue calls a method whose result may be null.
func callValue[T any](ctx context.Context, c *Client, method string, params any) (T, error) {
	var result, zero T
	if err := callMethod(ctx, c, method, params, &result); err != nil {
		return zero, err
	}
	return result, nil
}

var ownMajor, ownMinor, _ = parseVersion(ProtocolVersion)

// parseVersion parses MAJOR.MINOR.
func parseVersion(text string) (major, minor int, ok bool) {
	first, second, found := strings.Cut(text, ".")
	major, majorErr := strconv.Atoi(first)
	minor, minorErr := strconv.Atoi(second)
	return major, minor, found && majorErr == nil && minorErr == nil
}
