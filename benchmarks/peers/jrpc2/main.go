// The command jrpc2 is a server with a method that responds, and one that waits, for the
// conformance checks: jrpc2 line, or jrpc2 header.
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"
	"github.com/creachadair/jrpc2/handler"
)

func echo(context.Context, map[string]int) (string, error) { return "echo", nil }

func slow(ctx context.Context, _ *jrpc2.Request) error {
	<-ctx.Done()
	return ctx.Err()
}

func cancel(ctx context.Context, request *jrpc2.Request) error {
	var params struct {
		ID json.RawMessage `json:"id"`
	}
	if err := request.UnmarshalParams(&params); err != nil {
		return err
	}
	jrpc2.ServerFromContext(ctx).CancelRequest(string(params.ID))
	return nil
}

func main() {
	methods := handler.Map{
		"echo":            handler.New(echo),
		"slow":            handler.New(slow),
		"$/cancelRequest": handler.New(cancel),
	}
	framing := channel.LSP
	if os.Args[1] == "line" {
		framing = channel.Line
	}
	server := jrpc2.NewServer(methods, &jrpc2.ServerOptions{Concurrency: 16})
	if err := server.Start(framing(os.Stdin, os.Stdout)).Wait(); err != nil {
		os.Exit(1)
	}
}
