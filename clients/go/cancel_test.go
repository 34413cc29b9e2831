package sidecar

import (
	"context"
	"errors"
	"testing"
)

func TestAWaitWhoseContextEndsIsCancelled(t *testing.T) {
	client := start(t)
	create(t, client, "deploy", ExpectedTypeBool)
	ctx, cancel := context.WithCancel(limited(t))
	wait := background(func() (*Event, error) {
		return client.Events.Wait(ctx, WaitParams{RunName: "r1", Name: "deploy"})
	})
	waiting(t, client)
	cancel()
	got := <-wait
	if !errors.Is(got.err, context.Canceled) || !errors.Is(got.err, KindRequestCancelled) || got.value != nil {
		t.Errorf("%+v", got)
	}
	if waits := must(client.Sidecar.Status(limited(t)))(t).Counters.Waits; waits != 0 {
		t.Errorf("%d waits are left", waits)
	}
}

func TestAContextThatEndedBeforeSendsNothing(t *testing.T) {
	client, player := play(t, hello)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
	var told *Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &told) || told.Data.Outcome != OutcomeNone {
		t.Error(err)
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	player.answer(player.expect("sidecar.status"), `{"uptimeSeconds":1}`)
	if got := <-call; got.err != nil {
		t.Error(got.err)
	}
}

func TestACallBehindAWriterThatIsStuckEndsWithItsContextAndSendsNothing(t *testing.T) {
	client, player := play(t, hello)
	stuck := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	first := make([]byte, 1)
	if _, err := player.r.Read(first); err != nil { // the writer has begun, and cannot go on
		t.Fatal(err)
	}
	player.r.UnreadByte()
	ctx, cancel := context.WithCancel(context.Background())
	behind := background(func() (*Event, error) {
		return client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
	})
	cancel()
	got := <-behind
	var told *Error
	if !errors.Is(got.err, context.Canceled) || !errors.As(got.err, &told) || told.Data.Outcome != OutcomeNone {
		t.Error(got.err)
	}
	player.answer(player.expect("sidecar.status"), `{}`)
	if got := <-stuck; got.err != nil {
		t.Error(got.err)
	}
	next := background(func() (*EventPage, error) { return client.Events.Pending(context.Background(), PendingParams{}) })
	player.answer(player.expect("events.pending"), `{"events":[]}`)
	if got := <-next; got.err != nil {
		t.Error(got.err)
	}
}

func TestACancelledCallTellsWhatTheSidecarKnows(t *testing.T) {
	client, player := play(t, hello)
	for _, c := range []struct {
		name, answer string
		check        func(*Event, error) bool
	}{
		{"a signal that was applied is told as applied", `"result":{"name":"n"}`, func(e *Event, err error) bool {
			return err == nil && e.Name == "n"
		}},
		{"what a write that was cut off did is unknown",
			`"error":{"code":-32800,"message":"cut off","data":{"kind":"request_cancelled","outcome":"unknown","actionName":"a7"}}`,
			func(_ *Event, err error) bool {
				var told *Error
				return errors.Is(err, context.Canceled) && errors.As(err, &told) &&
					told.Data.Outcome == OutcomeUnknown && told.Data.ActionName == "a7"
			}},
		{"an error that was decided is that error",
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
			request := player.expect("events.signal")
			cancel()
			if cancelled := player.expect("$/cancelRequest"); string(cancelled.Params) != `{"id":`+string(request.ID)+`}` {
				t.Errorf("%s is cancelled", cancelled.Params)
			}
			player.send(`{"jsonrpc":"2.0","id":%s,%s}`, request.ID, c.answer)
			if got := <-call; !c.check(got.value, got.err) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAnAnswerJustBeforeTheEndIsAnAnswer(t *testing.T) {
	client, player := play(t, hello)
	player.w.Close()
	<-client.Done()
	answered := &call{answer: make(chan answer, 1)}
	answered.answer <- answer{result: []byte(`1`)}
	if result, err := client.connection.last(answered); string(result) != "1" || err != nil {
		t.Errorf("%s (%v)", result, err)
	}
	if _, err := client.connection.last(answered); !errors.Is(err, KindDisconnected) {
		t.Error(err)
	}
}
