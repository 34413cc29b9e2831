package sidecar

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
)

// fakeSidecar is a sidecar that a test simulates, at the other end of streams in memory.
type fakeSidecar struct {
	t *testing.T
	r *bufio.Reader
	w *io.PipeWriter
}

// sentMessage is a message of the client.
type sentMessage struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Error  json.RawMessage `json:"error"`
}

// attachFake attaches a client to a fake sidecar that responds to initialize with the result.
func attachFake(t *testing.T, initializeResult string) (*Client, *fakeSidecar) {
	t.Helper()
	client, fake, err := tryAttachFake(t, initializeResult)
	if err != nil {
		t.Fatal(err)
	}
	return client, fake
}

func tryAttachFake(t *testing.T, initializeResult string) (*Client, *fakeSidecar, error) {
	t.Helper()
	requests, clientWriter := io.Pipe()
	clientReader, responses := io.Pipe()
	fake := &fakeSidecar{t, bufio.NewReader(requests), responses}
	attached := background(func() (*Client, error) {
		return Attach(context.Background(), clientReader, clientWriter)
	})
	fake.respond(fake.expect("initialize"), initializeResult)
	switch line, err := fake.r.ReadString('\n'); {
	case err != nil:
		responses.Close() // as a sidecar does at the end of its input
	case line != `{"jsonrpc":"2.0","method":"initialized"}`+"\n":
		t.Errorf("initialize is followed by %s", line)
	}
	got := <-attached
	t.Cleanup(func() {
		responses.Close()
		if got.value != nil {
			got.value.Close()
		}
	})
	return got.value, fake, got.err
}

// next returns the next message of the client.
func (f *fakeSidecar) next() sentMessage {
	f.t.Helper()
	line, err := f.r.ReadBytes('\n')
	if err != nil {
		f.t.Fatal(err)
	}
	var message sentMessage
	if err := json.Unmarshal(line, &message); err != nil {
		f.t.Fatalf("%v: %s", err, line)
	}
	return message
}

// expect returns the next message of the client, which must have the method.
func (f *fakeSidecar) expect(method string) sentMessage {
	f.t.Helper()
	message := f.next()
	if message.Method != method {
		f.t.Fatalf("the client sends %s, not %s", message.Method, method)
	}
	return message
}

func (f *fakeSidecar) send(format string, args ...any) {
	f.t.Helper()
	if _, err := fmt.Fprintf(f.w, format+"\n", args...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeSidecar) respond(request sentMessage, result string) {
	f.t.Helper()
	f.send(`{"jsonrpc":"2.0","id":%s,"result":%s}`, request.ID, result)
}

func (f *fakeSidecar) respondError(request sentMessage, code int, data string) {
	f.t.Helper()
	f.send(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"no","data":%s}}`, request.ID, code, data)
}

// background runs a call in its own goroutine.
func background[T any](call func() (T, error)) <-chan outcome[T] {
	done := make(chan outcome[T], 1)
	go func() {
		value, err := call()
		done <- outcome[T]{value, err}
	}()
	return done
}

type outcome[T any] struct {
	value T
	err   error
}
