package sidecar

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"
)

// player is a sidecar that a test plays, at the other end of streams in memory.
type player struct {
	t *testing.T
	r *bufio.Reader
	w *io.PipeWriter
}

// sent is a message of the client's.
type sent struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Error  json.RawMessage `json:"error"`
}

// play attaches a client to a player that has answered its greeting with a result.
func play(t *testing.T, hello string) (*Client, *player) {
	t.Helper()
	client, player, err := tryPlay(t, hello)
	if err != nil {
		t.Fatal(err)
	}
	return client, player
}

func tryPlay(t *testing.T, hello string) (*Client, *player, error) {
	t.Helper()
	requests, toPlayer := io.Pipe()
	replies, fromPlayer := io.Pipe()
	p := &player{t, bufio.NewReader(requests), fromPlayer}
	type opened struct {
		client *Client
		err    error
	}
	attached := make(chan opened, 1)
	go func() {
		client, err := Attach(context.Background(), replies, toPlayer)
		attached <- opened{client, err}
	}()
	greeting := p.next()
	if greeting.Method != "initialize" {
		t.Errorf("the first message is %s", greeting.Method)
	}
	p.answer(greeting, hello)
	switch line, err := p.r.ReadString('\n'); {
	case err != nil:
		fromPlayer.Close() // as a sidecar does at the end of its input
	case line != `{"jsonrpc":"2.0","method":"initialized"}`+"\n":
		t.Errorf("after the greeting comes %s", line)
	}
	got := <-attached
	t.Cleanup(func() {
		fromPlayer.Close()
		if got.client != nil {
			got.client.Close()
		}
	})
	return got.client, p, got.err
}

// next gives the next message of the client.
func (p *player) next() sent {
	p.t.Helper()
	line, err := p.r.ReadBytes('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	var message sent
	if err := json.Unmarshal(line, &message); err != nil {
		p.t.Fatalf("%v: %s", err, line)
	}
	return message
}

// expect gives the next message of the client, which has to be of that method.
func (p *player) expect(method string) sent {
	p.t.Helper()
	message := p.next()
	if message.Method != method {
		p.t.Fatalf("the client sends %s, not %s", message.Method, method)
	}
	return message
}

func (p *player) send(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) answer(request sent, result string) {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":%s,"result":%s}`, request.ID, result)
}

func (p *player) refuse(request sent, code int, data string) {
	p.t.Helper()
	p.send(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":"no","data":%s}}`, request.ID, code, data)
}

// background makes a call in a goroutine of its own.
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
