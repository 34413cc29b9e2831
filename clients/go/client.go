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

// Client talks to one sidecar.
type Client struct {
	Services

	connection *connection
	server     InitializeResult
}

// Start runs a sidecar and greets it; ctx bounds that alone. The sidecar ends with
// [Client.Close], and with this process, however that ends.
func Start(ctx context.Context, options Options) (*Client, error) {
	failed := func(err error) error { return &StartError{options.command(), err, options.hint(err)} }
	if ctx.Err() != nil {
		return nil, failed(reason(ctx))
	}
	process, stdout, stdin, err := spawn(options)
	if err != nil {
		return nil, failed(err)
	}
	pid := os.Getpid()
	client, err := open(ctx, newConnection(process, stdout, stdin), &pid)
	if err != nil && !errors.Is(err, KindIncompatible) {
		err = failed(err)
	}
	return client, err
}

// Attach greets a sidecar at the other end of two streams: r is what it writes, w what it reads.
// ctx bounds that alone. [Client.Close] closes w, and r too if it is an [io.Closer]; where w has a
// CloseWrite, as a socket has that is both ends, by that first, and wholly after the last answer.
func Attach(ctx context.Context, r io.Reader, w io.WriteCloser) (*Client, error) {
	client, err := open(ctx, attach(r, w), nil)
	if err != nil && !errors.Is(err, KindIncompatible) {
		err = fmt.Errorf("sidecar: cannot attach: %w", err)
	}
	return client, err
}

// open greets the sidecar, and ends the connection where that fails.
func open(ctx context.Context, connection *connection, pid *int) (*Client, error) {
	client := &Client{connection: connection}
	client.Services = newServices(client)
	inTime := context.AfterFunc(ctx, func() { connection.close(0) })
	err := client.greet(ctx, pid)
	if !inTime() {
		err = fmt.Errorf("it has not answered: %w", reason(ctx))
	}
	if err != nil {
		connection.close(moment)
		return nil, err
	}
	return client, nil
}

func (c *Client) greet(ctx context.Context, pid *int) error {
	// The end of ctx closes the connection; an answer to a cancellation is not waited for.
	ctx = context.WithoutCancel(ctx)
	params := map[string]any{
		"processId":  pid,
		"clientInfo": map[string]string{"name": clientName, "version": clientVersion},
	}
	answer, err := c.connection.call(ctx, "initialize", params, nil)
	if err == nil {
		err = decode(answer, &c.server)
	}
	if err != nil {
		return err
	}
	if major, _, ok := version(c.server.ProtocolVersion); !ok || major != ownMajor {
		return &VersionError{ProtocolVersion, c.server.ProtocolVersion, c.server.ServerInfo}
	}
	return c.connection.send(ctx, request{Version: "2.0", Method: "initialized"})
}

// Server gives what the sidecar said of itself.
func (c *Client) Server() *InitializeResult { return &c.server }

// Mismatch says in words what the sidecar may lack because its protocol is older than this
// package's; it is empty where that is not so.
func (c *Client) Mismatch() string {
	if _, minor, _ := version(c.server.ProtocolVersion); minor >= ownMinor {
		return ""
	}
	return c.older() + ": it lacks what came later"
}

func (c *Client) older() string {
	return fmt.Sprintf("this sidecar (%s, protocol %s) is older than this client (protocol %s)",
		c.server.ServerInfo.Version, c.server.ProtocolVersion, ProtocolVersion)
}

// Done is closed once the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.connection.done }

// Err says why the connection ended: nil before that, [ErrClosed] if [Client.Close] ended it, else
// a [*DisconnectedError].
func (c *Client) Err() error {
	select {
	case <-c.connection.done:
		return c.connection.err
	default:
		return nil
	}
}

// Close ends waits and watches with [ErrClosed], and then the sidecar by the end of its input: it
// answers what else is under way. One that does not end within 15 seconds is killed, and what it
// has started with it. The error says how the sidecar ended if not as it should.
func (c *Client) Close() error { return c.connection.close(patience) }

// Call calls a method by its name, for methods that this package does not know. The result is
// read into what result points to, as by [json.Unmarshal]; nil passes it over.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	return named(method, c.call(ctx, method, params, result, nil))
}

func (c *Client) call(ctx context.Context, method string, params, result any, unread *unread) error {
	answer, err := c.connection.call(ctx, method, params, unread)
	if err == nil && result != nil {
		err = decode(answer, result)
	}
	return err
}

func decode(answer json.RawMessage, result any) error {
	if len(answer) == 0 {
		return invalid("the answer has neither a result nor an error")
	}
	if err := json.Unmarshal(answer, result); err != nil {
		return invalid("the answer cannot be read: %w", err)
	}
	return nil
}

func named(method string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sidecar: %s: %w", method, err)
}

// invoke calls a method of the table, which an older sidecar may lack.
func invoke(ctx context.Context, c *Client, method string, params, result any) error {
	return c.explained(method, c.call(ctx, method, params, result, nil))
}

func (c *Client) explained(method string, err error) error {
	var answer *Error
	if errors.As(err, &answer) && c.Mismatch() != "" {
		switch answer.Data.Kind {
		case KindMethodNotFound:
			answer.Message = c.older() + " and lacks the method"
		case KindInvalidParams:
			answer.Message += " (" + c.older() + ")"
		}
	}
	return named(method, err)
}

var errNull = invalid("the answer cannot be read: it is null")

// object calls a method whose result is an object.
func object[T any](ctx context.Context, c *Client, method string, params any) (*T, error) {
	result, err := value[*T](ctx, c, method, params)
	if err == nil && result == nil {
		err = named(method, errNull)
	}
	return result, err
}

// value calls a method whose result is what is there, or null.
func value[T any](ctx context.Context, c *Client, method string, params any) (T, error) {
	var result, none T
	if err := invoke(ctx, c, method, params, &result); err != nil {
		return none, err
	}
	return result, nil
}

var ownMajor, ownMinor, _ = version(ProtocolVersion)

// version reads MAJOR.MINOR.
func version(text string) (major, minor int, ok bool) {
	first, second, found := strings.Cut(text, ".")
	major, badMajor := strconv.Atoi(first)
	minor, badMinor := strconv.Atoi(second)
	return major, minor, found && badMajor == nil && badMinor == nil
}

const (
	// patience is how long a sidecar may take to end, or to answer a cancellation.
	patience = 15 * time.Second
	// moment is how long what should take an instant may take.
	moment = 2 * time.Second
)
