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

const transcripts = "../../sidecar/flyte_sidecar/conformance/recorded"

type line struct {
	About   string   `json:"about"`
	Client  *message `json:"client"`
	Sidecar *message `json:"sidecar"`
}

func TestTheStubsReplayEveryTranscript(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(transcripts, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts in %s (%v)", transcripts, err)
	}
	initializeResult := initializeResultOf(t, readTranscript(t, filepath.Join(transcripts, "initialize.jsonl")))
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			lines := readTranscript(t, file)
			own := initializeResultOf(t, lines)
			if own == "" {
				own = initializeResult
			}
			client, fake := attachFake(t, own)
			if same := canonical(json.RawMessage(own)); !reflect.DeepEqual(canonical(client.Server()), same) {
				t.Errorf("Server() is %v, not %v", canonical(client.Server()), same)
			}
			(&replay{client, fake, map[string]*exchange{}, map[string]*exchange{}}).all(lines)
		})
	}
}

func readTranscript(t *testing.T, file string) (lines []line) {
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

func initializeResultOf(t *testing.T, lines []line) string {
	t.Helper()
	for i, line := range lines {
		if line.Client != nil && line.Client.Method == "initialize" {
			return string(lines[i+1].Sidecar.Result)
		}
	}
	return ""
}

// exchange is a request of a transcript during its replay.
type exchange struct {
	id            json.RawMessage // of the client's request
	cancel        context.CancelFunc
	result        <-chan outcome[any]               // of a call
	notifications <-chan outcome[WatchNotification] // of a watch
}

type replay struct {
	client  *Client
	fake    *fakeSidecar
	open    map[string]*exchange // by the transcript's ids
	watches map[string]*exchange // by the watches' names
}

func (r *replay) all(lines []line) {
	for _, line := range lines {
		switch {
		case line.Client != nil:
			r.fromClient(line.Client)
		case line.Sidecar != nil && line.Sidecar.Method != "":
			r.notification(line.Sidecar)
		case line.Sidecar != nil:
			r.response(line.Sidecar)
		}
	}
}

func (r *replay) fromClient(recorded *message) {
	switch recorded.Method {
	case "initialize", "initialized", "shutdown", "exit":
	case "$/cancelRequest":
		var params struct{ ID json.RawMessage }
		if err := json.Unmarshal(recorded.Params, &params); err != nil {
			r.fake.t.Fatal(err)
		}
		cancelled := r.open[string(params.ID)]
		cancelled.cancel()
		got := r.fake.expect(recorded.Method)
		if string(got.Params) != fmt.Sprintf(`{"id":%s}`, cancelled.id) {
			r.fake.t.Errorf("the client cancels %s", got.Params)
		}
	default:
		r.request(recorded)
	}
}

func (r *replay) request(recorded *message) {
	ctx, cancel := context.WithCancel(context.Background())
	r.fake.t.Cleanup(cancel)
	started := &exchange{cancel: cancel}
	r.open[string(recorded.ID)] = started
	called := stub{call: func(ctx context.Context, params json.RawMessage) (any, error) {
		var result any
		return result, r.client.Call(ctx, recorded.Method, params, &result)
	}}
	if newStub, known := stubs[recorded.Method]; known {
		called = newStub(r.client)
	}
	if called.watch != nil {
		started.notifications = readInBackground(called.watch(ctx, recorded.Params))
	} else {
		started.result = background(func() (any, error) { return called.call(ctx, recorded.Params) })
	}
	got := r.fake.expect(recorded.Method)
	started.id = got.ID
	wanted, sent := canonical(recorded.Params), canonical(got.Params)
	// The client adds the type of the payload.
	if params, ok := wanted.(map[string]any); ok && params["payload"] != nil && params["payloadType"] == nil {
		delete(sent.(map[string]any), "payloadType")
	}
	if !reflect.DeepEqual(sent, wanted) {
		r.fake.t.Errorf("%s is sent %s, not %s", got.Method, got.Params, recorded.Params)
	}
	if named, ok := wanted.(map[string]any); ok && started.notifications != nil {
		r.watches[named["watch"].(string)] = started
	}
}

// readInBackground returns the items of a watch. It reads each one immediately, so that none are
// coalesced.
func readInBackground(watch iter.Seq2[WatchNotification, error]) <-chan outcome[WatchNotification] {
	notifications := make(chan outcome[WatchNotification])
	go func() {
		defer close(notifications)
		for notification, err := range watch {
			notifications <- outcome[WatchNotification]{notification, err}
		}
	}()
	return notifications
}

func (r *replay) notification(recorded *message) {
	r.fake.send(`{"jsonrpc":"2.0","method":%q,"params":%s}`, recorded.Method, recorded.Params)
	var params struct{ Watch string }
	if err := json.Unmarshal(recorded.Params, &params); err != nil {
		r.fake.t.Fatal(err)
	}
	got := <-r.watches[params.Watch].notifications
	if got.err != nil {
		r.fake.t.Fatal(got.err)
	}
	if wanted := newNotifications[recorded.Method](); reflect.TypeOf(got.value) != reflect.TypeOf(wanted) {
		r.fake.t.Errorf("%s is delivered as %T", recorded.Method, got.value)
	}
	r.compare(recorded.Method, got.value, recorded.Params)
}

func (r *replay) response(recorded *message) {
	answered := r.open[string(recorded.ID)]
	if answered == nil {
		return // a request of the connection itself
	}
	response, _ := json.Marshal(message{ID: answered.id, Result: recorded.Result, Error: recorded.Error})
	if len(recorded.Error) == 0 {
		r.fake.send(`{"jsonrpc":"2.0","id":%s,"result":%s}`, answered.id, recorded.Result)
	} else {
		r.fake.send(`{"jsonrpc":"2.0","id":%s,"error":%s}`, answered.id, recorded.Error)
	}
	var value any
	var err error
	if answered.notifications != nil {
		last := <-answered.notifications
		value, err = last.value, last.err
	} else {
		last := <-answered.result
		value, err = last.value, last.err
	}
	if len(recorded.Error) == 0 {
		if err != nil {
			r.fake.t.Fatalf("%v is the error for %s", err, response)
		}
		r.compare(string(response), value, recorded.Result)
		return
	}
	var got *Error
	if !errors.As(err, &got) {
		r.fake.t.Fatalf("%v is the error for %s", err, response)
	}
	r.compare(string(response), got, recorded.Error)
	if !errors.Is(err, got.Data.Kind) {
		r.fake.t.Errorf("%v is not %s", err, got.Data.Kind)
	}
	if cancelled := got.Data.Kind == KindRequestCancelled; cancelled != errors.Is(err, context.Canceled) {
		r.fake.t.Errorf("%v is the error of a cancelled call", err)
	}
}

func (r *replay) compare(what string, got any, recorded json.RawMessage) {
	r.fake.t.Helper()
	if got, wanted := canonical(got), canonical(recorded); !reflect.DeepEqual(got, wanted) {
		r.fake.t.Errorf("%s: it is\n%v, not\n%v", what, got, wanted)
	}
}
