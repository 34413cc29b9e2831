package sidecar

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
)

func TestAnEventIsCreatedListedAnsweredAndRead(t *testing.T) {
	client, ctx := start(t), testContext(t)
	created := create(t, client, "deploy", ExpectedTypeBool)
	if created.Phase != PhasePaused || !created.Pending || created.CreatedAt.IsZero() || !created.EndedAt.IsZero() {
		t.Errorf("it is created as %+v", created)
	}
	page := must(client.Events.List(ctx, ListParams{RunName: "r1", Phases: []Phase{PhasePaused}}))(t)
	if len(page.Events) != 1 || *page.Events[0] != *created || page.NextCursor != "" {
		t.Errorf("it is listed as %+v", page)
	}
	answered := must(client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "deploy", Payload: Bool(true)}))(t)
	got := must(client.Events.Get(ctx, GetParams{RunName: "r1", ActionName: created.ActionName}))(t)
	if *got != *answered || got.Payload != Bool(true) || got.Pending {
		t.Errorf("it is %+v, answered as %+v", got, answered)
	}
	if nothing, err := client.Events.Get(ctx, GetParams{RunName: "r1", Name: "other"}); nothing != nil || err != nil {
		t.Errorf("a missing event is %v (%v)", nothing, err)
	}
}

func TestTheFirstAnswerWins(t *testing.T) {
	client, ctx := start(t), testContext(t)
	create(t, client, "deploy", ExpectedTypeBool)
	signal := SignalParams{RunName: "r1", Name: "deploy", Payload: Bool(true)}
	must(client.Events.Signal(ctx, signal))(t)
	must(client.Events.Signal(ctx, signal))(t)
	signal.Payload = Bool(false)
	_, err := client.Events.Signal(ctx, signal)
	var target *Error
	if !errors.Is(err, KindAlreadySignalled) || !errors.As(err, &target) {
		t.Fatal(err)
	}
	if event := target.Data.Event; event == nil || event.Payload != Bool(true) || target.Data.Retryable {
		t.Errorf("the error has %+v", target.Data)
	}
	if errors.Is(err, KindAlreadyCompleted) || !strings.Contains(err.Error(), "events.signal: already_signalled: ") {
		t.Errorf("%v", err)
	}
}

func TestAWaitEndsWithTheAnswer(t *testing.T) {
	client, ctx := start(t), testContext(t)
	create(t, client, "deploy", ExpectedTypeStr)
	wait := background(func() (*Event, error) {
		return client.Events.Wait(ctx, WaitParams{RunName: "r1", Name: "deploy"})
	})
	awaitOpenWait(t, client)
	must(client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "deploy", Payload: Str("später 大")}))(t)
	if got := <-wait; got.err != nil || got.value.Payload != Str("später 大") {
		t.Errorf("%+v", got)
	}
}

func TestAWaitMayStartBeforeItsEventExists(t *testing.T) {
	client, ctx := start(t), testContext(t)
	wait := background(func() (*Event, error) {
		return client.Events.Wait(ctx, WaitParams{RunName: "r1", Name: "deploy", AwaitCreation: true})
	})
	awaitOpenWait(t, client)
	create(t, client, "deploy", ExpectedTypeBool)
	must(client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "deploy", Payload: Bool(true)}))(t)
	if got := <-wait; got.err != nil || got.value.Payload != Bool(true) {
		t.Errorf("%+v", got)
	}
}

// waiting waits until the sidecar has a wait open.
func awaitOpenWait(t *testing.T, client *Client) {
	t.Helper()
	for must(client.Sidecar.Status(testContext(t)))(t).Counters.Waits == 0 {
	}
}

func TestAnAbortedEventKeepsItsReason(t *testing.T) {
	client, ctx := start(t), testContext(t)
	create(t, client, "deploy", ExpectedTypeBool)
	aborted := must(client.Events.Abort(ctx, AbortParams{RunName: "r1", Name: "deploy", Reason: "late"}))(t)
	if aborted.Phase != PhaseAborted || aborted.AbortReason != "late" {
		t.Errorf("%+v", aborted)
	}
	_, err := client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "deploy", Payload: Bool(true)})
	if !errors.Is(err, KindAlreadyCompleted) {
		t.Error(err)
	}
}

func TestListingsIterateOverAllPages(t *testing.T) {
	client, ctx := start(t), testContext(t)
	for i := range 7 {
		create(t, client, fmt.Sprint(i), ExpectedTypeBool)
	}
	all := client.Events.ListAll(ctx, ListParams{RunName: "r1", Limit: 3})
	for range 2 { // an iterator may be used again
		names := ""
		for event, err := range all {
			names += must(event, err)(t).Name
		}
		if names != "0123456" {
			t.Errorf("it lists %s", names)
		}
	}
	pending := 0
	for _, err := range client.Events.PendingAll(ctx, PendingParams{Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		if pending++; pending == 5 {
			break
		}
	}
	for run, err := range client.Runs.ListAll(ctx, RunsParams{PendingOnly: true}) {
		if must(run, err)(t).PendingEvents != 7 {
			t.Errorf("%+v", run)
		}
	}
	for event, err := range client.Events.ListAll(ctx, ListParams{RunName: "r1", Cursor: "no cursor"}) {
		if event != nil || !errors.Is(err, KindCursorExpired) {
			t.Errorf("%v (%v)", event, err)
		}
	}
}

func TestPayloadsRoundTripThroughTheSidecar(t *testing.T) {
	client, ctx := start(t), testContext(t)
	for i, payload := range []Payload{
		Bool(false), Int(1<<53 + 1), Int(math.MinInt64), Int(7),
		Float(3), Float(1 << 60), Float(math.Inf(-1)), Float(math.SmallestNonzeroFloat64),
		Str(""), Str("NaN"), Str("9007199254740993"), Str("\u2028<\x00>\U0001F600"),
	} {
		name := fmt.Sprint(i)
		create(t, client, name, payload.payloadType())
		signalled := must(client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: name, Payload: payload}))(t)
		got := must(client.Events.Get(ctx, GetParams{RunName: "r1", Name: name}))(t)
		if signalled.Payload != payload || got.Payload != payload {
			t.Errorf("%T %v is signalled as %T %v and read as %T %v",
				payload, payload, signalled.Payload, signalled.Payload, got.Payload, got.Payload)
		}
	}
	create(t, client, "nan", ExpectedTypeFloat)
	nan := must(client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "nan", Payload: Float(math.NaN())}))(t)
	if number, ok := nan.Payload.(Float); !ok || !math.IsNaN(float64(number)) {
		t.Errorf("NaN is signalled as %T %v", nan.Payload, nan.Payload)
	}
}

func TestAPayloadOfAnotherTypeIsAnError(t *testing.T) {
	client := start(t)
	create(t, client, "rate", ExpectedTypeFloat)
	_, err := client.Events.Signal(testContext(t), SignalParams{RunName: "r1", Name: "rate", Payload: Int(3)})
	var target *Error
	if !errors.Is(err, KindPayloadTypeMismatch) || !errors.As(err, &target) || target.Data.ExpectedType != ExpectedTypeFloat {
		t.Error(err)
	}
}

func TestALongLineIsSentAndReceived(t *testing.T) {
	client, ctx := start(t), testContext(t)
	prompt := strings.Repeat("Größe? ", 1<<20)
	params := CreateParams{RunName: "r1", Name: "long", Prompt: prompt}
	must(client.Events.Create(ctx, params))(t)
	page := must(client.Events.List(ctx, ListParams{RunName: "r1", Details: true}))(t)
	if page.Events[0].Prompt != prompt {
		t.Error("the listing has another prompt")
	}
}

func TestEachOfAThousandConcurrentCallsGetsItsOwnResponse(t *testing.T) {
	client, ctx := start(t), testContext(t)
	const many = 1000
	var wait sync.WaitGroup
	for i := range many {
		wait.Add(1)
		go func() {
			defer wait.Done()
			name := fmt.Sprint(i)
			created, err := client.Events.Create(ctx, CreateParams{RunName: "r1", Name: name})
			if err != nil || created.Name != name {
				t.Errorf("%s is created as %v (%v)", name, created, err)
			}
		}()
	}
	wait.Wait()
	count := 0
	for _, err := range client.Events.ListAll(ctx, ListParams{RunName: "r1", Limit: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != many {
		t.Errorf("%d events are listed", count)
	}
}

func TestAnyMethodMayBeCalledByName(t *testing.T) {
	client, ctx := start(t), testContext(t)
	var event struct{ Prompt string }
	if err := client.Call(ctx, "events.create", json.RawMessage("{\n\"runName\":\"r1\",\"name\":\"n\"\n}"), &event); err != nil || event.Prompt != "Approve?" {
		t.Errorf("%v (%v)", event, err)
	}
	if err := client.Call(ctx, "events.no\"such", nil, nil); !errors.Is(err, KindMethodNotFound) {
		t.Error(err)
	}
	if err := client.Call(ctx, "events.create", func() {}, nil); err == nil {
		t.Error("a func is accepted as params")
	}
	document := must(client.RPC.Discover(ctx))(t)
	if !json.Valid(document) || !strings.Contains(string(document), "openrpc") {
		t.Errorf("%s", document)
	}
}

func TestServerAndStatusDescribeTheSidecar(t *testing.T) {
	client := start(t)
	server := client.Server()
	if server.ServerInfo.Name != "flyte-sidecar" || server.Backend.Kind != "local" || server.Backend.Project != "local" {
		t.Errorf("%+v", server)
	}
	if server.ProtocolVersion == ProtocolVersion && client.VersionWarning() != "" {
		t.Error(client.VersionWarning())
	}
	status := must(client.Sidecar.Status(testContext(t)))(t)
	if status.SchemaHash != server.SchemaHash || !status.Backend.Healthy {
		t.Errorf("%+v", status)
	}
}
