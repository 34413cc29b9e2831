package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

const transcripts = "../../schemas/transcripts"

type line struct {
	About   string   `json:"about"`
	Client  *message `json:"client"`
	Sidecar *message `json:"sidecar"`
}

func TestTranscriptsAreReplayedByTheStubs(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(transcripts, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no transcripts in %s (%v)", transcripts, err)
	}
	greeting := greetingOf(t, recorded(t, filepath.Join(transcripts, "hello.jsonl")))
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			lines := recorded(t, file)
			own := greetingOf(t, lines)
			if own == "" {
				own = greeting
			}
			client, player := play(t, own)
			if same := canonical(json.RawMessage(own)); !reflect.DeepEqual(canonical(client.Server()), same) {
				t.Errorf("Server() is %v, not %v", canonical(client.Server()), same)
			}
			(&replay{client, player, map[string]*exchange{}, map[string]*exchange{}}).all(lines)
		})
	}
}

func recorded(t *testing.T, file string) (lines []line) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	for decoder.More() {
		var next line
		if err := decoder.Decode(&next); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, next)
	}
	return lines
}

func greetingOf(t *testing.T, lines []line) string {
	t.Helper()
	for i, line := range lines {
		if line.Client != nil && line.Client.Method == "initialize" {
			return string(lines[i+1].Sidecar.Result)
		}
	}
	return ""
}

// exchange is a request of a transcript, while it is replayed.
type exchange struct {
	id      json.RawMessage // the client's
	cancel  context.CancelFunc
	result  <-chan outcome[any]    // of a call
	notices <-chan outcome[Notice] // of a watch
}

type replay struct {
	client  *Client
	player  *player
	open    map[string]*exchange // by the transcript's ids
	watches map[string]*exchange // by the watches' names
}

func (r *replay) all(lines []line) {
	for _, line := range lines {
		switch {
		case line.Client != nil:
			r.fromClient(line.Client)
		case line.Sidecar != nil && line.Sidecar.Method != "":
			r.told(line.Sidecar)
		case line.Sidecar != nil:
			r.answered(line.Sidecar)
		}
	}
}

func (r *replay) fromClient(recorded *message) {
	switch recorded.Method {
	case "initialize", "initialized", "shutdown", "exit":
	case "$/cancelRequest":
		var params struct{ ID json.RawMessage }
		if err := json.Unmarshal(recorded.Params, &params); err != nil {
			r.player.t.Fatal(err)
		}
		cancelled := r.open[string(params.ID)]
		cancelled.cancel()
		got := r.player.expect(recorded.Method)
		if string(got.Params) != fmt.Sprintf(`{"id":%s}`, cancelled.id) {
			r.player.t.Errorf("the client cancels %s", got.Params)
		}
	default:
		r.request(recorded)
	}
}

func (r *replay) request(recorded *message) {
	ctx, cancel := context.WithCancel(context.Background())
	r.player.t.Cleanup(cancel)
	begun := &exchange{cancel: cancel}
	r.open[string(recorded.ID)] = begun
	made := stub{call: func(ctx context.Context, params json.RawMessage) (any, error) {
		var result any
		return result, r.client.Call(ctx, recorded.Method, params, &result)
	}}
	if of, known := stubs[recorded.Method]; known {
		made = of(r.client)
	}
	if made.watch != nil {
		begun.notices = gather(made.watch(ctx, recorded.Params))
	} else {
		begun.result = background(func() (any, error) { return made.call(ctx, recorded.Params) })
	}
	got := r.player.expect(recorded.Method)
	begun.id = got.ID
	wanted, sent := canonical(recorded.Params), canonical(got.Params)
	// The client says what the type of a payload is.
	if params, ok := wanted.(map[string]any); ok && params["payload"] != nil && params["payloadType"] == nil {
		delete(sent.(map[string]any), "payloadType")
	}
	if !reflect.DeepEqual(sent, wanted) {
		r.player.t.Errorf("%s is sent %s, not %s", got.Method, got.Params, recorded.Params)
	}
	if named, ok := wanted.(map[string]any); ok && begun.notices != nil {
		r.watches[named["watch"].(string)] = begun
	}
}

// gather reads a watch as fast as it is read itself, so that nothing is folded.
func gather(watch iter.Seq2[Notice, error]) <-chan outcome[Notice] {
	notices := make(chan outcome[Notice])
	go func() {
		defer close(notices)
		for notice, err := range watch {
			notices <- outcome[Notice]{notice, err}
		}
	}()
	return notices
}

func (r *replay) told(recorded *message) {
	r.player.send(`{"jsonrpc":"2.0","method":%q,"params":%s}`, recorded.Method, recorded.Params)
	var params struct{ Watch string }
	if err := json.Unmarshal(recorded.Params, &params); err != nil {
		r.player.t.Fatal(err)
	}
	got := <-r.watches[params.Watch].notices
	if got.err != nil {
		r.player.t.Fatal(got.err)
	}
	if wanted := notices[recorded.Method](); reflect.TypeOf(got.value) != reflect.TypeOf(wanted) {
		r.player.t.Errorf("%s is told as %T", recorded.Method, got.value)
	}
	r.compare(recorded.Method, got.value, recorded.Params)
}

func (r *replay) answered(recorded *message) {
	answered := r.open[string(recorded.ID)]
	if answered == nil {
		return // the client's own business
	}
	answer, _ := json.Marshal(message{ID: answered.id, Result: recorded.Result, Error: recorded.Error})
	if len(recorded.Error) == 0 {
		r.player.send(`{"jsonrpc":"2.0","id":%s,"result":%s}`, answered.id, recorded.Result)
	} else {
		r.player.send(`{"jsonrpc":"2.0","id":%s,"error":%s}`, answered.id, recorded.Error)
	}
	var value any
	var err error
	if answered.notices != nil {
		last := <-answered.notices
		value, err = last.value, last.err
	} else {
		last := <-answered.result
		value, err = last.value, last.err
	}
	if len(recorded.Error) == 0 {
		if err != nil {
			r.player.t.Fatalf("%v is the answer to %s", err, answer)
		}
		r.compare(string(answer), value, recorded.Result)
		return
	}
	var got *Error
	if !errors.As(err, &got) {
		r.player.t.Fatalf("%v is the answer to %s", err, answer)
	}
	r.compare(string(answer), got, recorded.Error)
	if !errors.Is(err, got.Data.Kind) {
		r.player.t.Errorf("%v is not %s", err, got.Data.Kind)
	}
	if cancelled := got.Data.Kind == KindRequestCancelled; cancelled != errors.Is(err, context.Canceled) {
		r.player.t.Errorf("%v of a cancelled call", err)
	}
}

func (r *replay) compare(what string, got any, recorded json.RawMessage) {
	r.player.t.Helper()
	if got, wanted := canonical(got), canonical(recorded); !reflect.DeepEqual(got, wanted) {
		r.player.t.Errorf("%s: it is\n%v, not\n%v", what, got, wanted)
	}
}
