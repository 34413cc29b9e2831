package sidecar

import (
	"context"
	"errors"
	"testing"
)

func TestAWaitIsCancelledWhenItsContextIsDone(t *testing.T) {
	client := start(t)
	create(t, client, "deploy", ExpectedTypeBool)
	ctx, cancel := context.WithCancel(testContext(t))
	wait := background(func() (*Event, error) {
		return client.Events.Wait(ctx, WaitParams{RunName: "r1", Name: "deploy"})
	})
	awaitOpenWait(t, client)
	cancel()
	got := <-wait
	if !errors.Is(got.err, context.Canceled) || !errors.Is(got.err, KindRequestCancelled) || got.value != nil {
		t.Errorf("%+v", got)
	}
	if waits := must(client.Sidecar.Status(testContext(t)))(t).Counters.Waits; waits != 0 {
		t.Errorf("%d waits are open", waits)
	}
}

func TestACallWhoseContextIsAlreadyDoneSendsNothing(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
	var target *Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &target) || target.Data.Outcome != OutcomeNone {
		t.Error(err)
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	fake.respond(fake.expect("sidecar.status"), `{"uptimeSeconds":1}`)
	if got := <-call; got.err != nil {
		t.Error(got.err)
	}
}

func TestACallBehindABlockedWriterEndsWithItsContextAndSendsNothing(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	blocked := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	first := make([]byte, 1)
	if _, err := fake.r.Read(first); err != nil { // the writer has started, and is blocked
		t.Fatal(err)
	}
	fake.r.UnreadByte()
	ctx, cancel := context.WithCancel(context.Background())
	behind := background(func() (*Event, error) {
		return client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
	})
	cancel()
	got := <-behind
	var target *Error
	if !errors.Is(got.err, context.Canceled) || !errors.As(got.err, &target) || target.Data.Outcome != OutcomeNone {
		t.Error(got.err)
	}
	fake.respond(fake.expect("sidecar.status"), `{}`)
	if got := <-blocked; got.err != nil {
		t.Error(got.err)
	}
	next := background(func() (*EventPage, error) { return client.Events.Pending(context.Background(), PendingParams{}) })
	fake.respond(fake.expect("events.pending"), `{"events":[]}`)
	if got := <-next; got.err != nil {
		t.Error(got.err)
	}
}

func TestACancelledCallReturnsTheResponseOfTheSidecar(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	for _, c := range []struct {
		name, response string
		check          func(*Event, error) bool
	}{
		{"the result of a signal that was applied", `"result":{"name":"n"}`, func(e *Event, err error) bool {
			return err == nil && e.Name == "n"
		}},
		{"the unknown outcome of an interrupted write",
			`"error":{"code":-32800,"message":"interrupted","data":{"kind":"request_cancelled","outcome":"unknown","actionName":"a7"}}`,
			func(_ *Event, err error) bool {
				var target *Error
				return errors.Is(err, context.Canceled) && errors.As(err, &target) &&
					target.Data.Outcome == OutcomeUnknown && target.Data.ActionName == "a7"
			}},
		{"an error that was decided before",
			`"error":{"code":1007,"message":"late","data":{"kind":"already_signalled"}}`,
			func(_ *Event, err error) bool {
				return errors.Is(err, KindAlreadySignalled) && !errors.Is(err, context.Canceled)
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			call := background(func() (*Event, error) {
				return client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
			})
			request := fake.expect("events.signal")
			cancel()
			if cancelled := fake.expect("$/cancelRequest"); string(cancelled.Params) != `{"id":`+string(request.ID)+`}` {
				t.Errorf("%s is cancelled", cancelled.Params)
			}
			fake.send(`{"jsonrpc":"2.0","id":%s,%s}`, request.ID, c.response)
			if got := <-call; !c.check(got.value, got.err) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAResponseJustBeforeTheEndIsReturned(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	fake.w.Close()
	<-client.Done()
	answered := &call{response: make(chan response, 1)}
	answered.response <- response{result: []byte(`1`)}
	if result, err := client.connection.finalResponse(answered); string(result) != "1" || err != nil {
		t.Errorf("%s (%v)", result, err)
	}
	if _, err := client.connection.finalResponse(answered); !errors.Is(err, KindDisconnected) {
		t.Error(err)
	}
}
