package sidecar

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
)

// describe returns a notification in short.
func describe(notification WatchNotification) string {
	switch n := notification.(type) {
	case *EventChanged:
		return fmt.Sprintf("%s %s %s", n.Change, n.Event.Name, n.Event.Phase)
	case *WatchResult:
		return "ended: " + string(n.Reason)
	default:
		return fmt.Sprintf("%T", notification)
	}
}

// collect reads a watch until step returns false, and returns what it read.
func collect(t *testing.T, watch iter.Seq2[WatchNotification, error], step func(WatchNotification) bool) (received []string) {
	t.Helper()
	for notification, err := range watch {
		if err != nil {
			t.Fatal(err)
		}
		received = append(received, describe(notification))
		if !step(notification) {
			break
		}
	}
	return received
}

func TestAWatchReportsCurrentEventsThenChangesThenItsEnd(t *testing.T) {
	client, ctx := start(t), testContext(t)
	create(t, client, "deploy", ExpectedTypeBool)
	received := collect(t, client.Events.Watch(ctx, WatchParams{RunName: "r1"}), func(notification WatchNotification) bool {
		switch n := notification.(type) {
		case *WatchSynced: // the loop body uses the client
			must(client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "deploy", Payload: Bool(true)}))(t)
		case *EventChanged:
			if n.Change == ChangeResolved {
				if err := client.Events.Unwatch(ctx, UnwatchParams{Watch: n.Watch}); err != nil {
					t.Fatal(err)
				}
			}
		}
		return true
	})
	want := []string{"created deploy PAUSED", "*sidecar.WatchSynced", "resolved deploy SUCCEEDED", "ended: cancelled"}
	if !slices.Equal(received, want) {
		t.Errorf("%q", received)
	}
}

func TestLeavingTheLoopEndsTheWatch(t *testing.T) {
	client, ctx := start(t), testContext(t)
	create(t, client, "deploy", ExpectedTypeBool)
	watch := client.Events.Watch(ctx, WatchParams{Watch: "mine"})
	for range 2 { // the name can be used again
		received := collect(t, watch, func(WatchNotification) bool { return false })
		if !slices.Equal(received, []string{"created deploy PAUSED"}) {
			t.Errorf("%q", received)
		}
		if open := must(client.Sidecar.Status(ctx))(t).Counters.Watches; open != 0 {
			t.Errorf("%d watches are open", open)
		}
	}
}

func TestAPanicInTheLoopEndsTheWatch(t *testing.T) {
	client, ctx := start(t), testContext(t)
	func() {
		defer func() { recover() }()
		collect(t, client.Events.Watch(ctx, WatchParams{}), func(WatchNotification) bool { panic("oh") })
	}()
	if open := must(client.Sidecar.Status(ctx))(t).Counters.Watches; open != 0 {
		t.Errorf("%d watches are open", open)
	}
}

func TestAWatchEndsWhenItsContextIsDone(t *testing.T) {
	client := start(t)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var received []error
	for notification, err := range client.Events.Watch(ctx, WatchParams{RunName: "r1"}) {
		if _, synced := notification.(*WatchSynced); synced {
			cancel()
			continue
		}
		received = append(received, err)
	}
	if len(received) != 1 || !errors.Is(received[0], context.Canceled) {
		t.Errorf("%v", received)
	}
	if open := must(client.Sidecar.Status(testContext(t)))(t).Counters.Watches; open != 0 {
		t.Errorf("%d watches are open", open)
	}
	for notification, err := range client.Events.Watch(ctx, WatchParams{}) {
		if notification != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("a watch that was never opened reports %v (%v)", notification, err)
		}
	}
}

func TestEachWatchGetsItsOwnNotifications(t *testing.T) {
	client, ctx := start(t), testContext(t)
	next := map[string]func() (WatchNotification, error, bool){}
	for _, run := range []string{"r1", "r2"} {
		pull, stop := iter.Pull2(client.Events.Watch(ctx, WatchParams{RunName: run}))
		defer stop()
		next[run] = pull
		if notification, err, _ := pull(); err != nil || describe(notification) != "*sidecar.WatchSynced" {
			t.Fatalf("%v (%v)", notification, err)
		}
	}
	for _, run := range []string{"r2", "r1"} {
		must(client.Events.Create(ctx, CreateParams{RunName: run, Name: run}))(t)
	}
	for run, pull := range next {
		if notification, err, _ := pull(); err != nil || describe(notification) != "created "+run+" PAUSED" {
			t.Errorf("the watch of %s reports %v (%v)", run, notification, err)
		}
	}
}

func TestAnErrorOfTheSidecarEndsTheLoop(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	received := background(func() ([]string, error) {
		for notification, err := range client.Events.Watch(context.Background(), WatchParams{}) {
			if notification != nil {
				return nil, errors.New(describe(notification))
			}
			if err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	fake.respondError(fake.expect("events.watch"), 1017, `{"kind":"too_many_waits","retryable":true,"limit":10}`)
	if got := <-received; !errors.Is(got.err, KindTooManyWaits) {
		t.Error(got.err)
	}
}

func TestASecondWatchWithTheSameNameFails(t *testing.T) {
	client, ctx := start(t), testContext(t)
	pull, stop := iter.Pull2(client.Events.Watch(ctx, WatchParams{Watch: "mine"}))
	defer stop()
	if _, err, _ := pull(); err != nil {
		t.Fatal(err)
	}
	for notification, err := range client.Events.Watch(ctx, WatchParams{Watch: "mine"}) {
		if notification != nil || !errors.Is(err, KindInvalidParams) {
			t.Errorf("%v (%v)", notification, err)
		}
	}
	create(t, client, "deploy", ExpectedTypeBool)
	if notification, err, _ := pull(); err != nil || describe(notification) != "created deploy PAUSED" {
		t.Errorf("%v (%v)", notification, err)
	}
}

func TestOfWatchesWithOneNameTheOpenOneGetsTheNotifications(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	watch := client.Events.Watch(context.Background(), WatchParams{Watch: "mine"})
	const notification = `{"jsonrpc":"2.0","method":"events.changed","params":{"watch":"mine","change":"created","event":{"name":"%s"}}}`
	first := readInBackground(watch)
	requests := []sentMessage{fake.expect("events.watch")}
	second := readInBackground(watch)
	requests = append(requests, fake.expect("events.watch"))
	fake.send(notification, "a")
	if got := <-first; got.err != nil || describe(got.value) != "created a " {
		t.Errorf("%+v", got)
	}
	fake.respond(requests[0], `{"reason":"finished"}`)
	fake.send(notification, "b")
	if got := <-second; got.err != nil || describe(got.value) != "created b " {
		t.Errorf("%+v", got)
	}
	fake.respond(requests[1], `{"reason":"finished"}`)
	for _, watch := range []<-chan outcome[WatchNotification]{first, second} {
		if got := <-watch; got.err != nil || describe(got.value) != "ended: finished" {
			t.Errorf("%+v", got)
		}
	}
}

func TestNoNotificationIsDeliveredAfterTheContextIsDone(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	ctx, cancel := context.WithCancel(context.Background())
	read := make(chan struct{})
	received := background(func() (notifications []string, _ error) {
		for notification, err := range client.Events.Watch(ctx, WatchParams{}) {
			if err != nil {
				return notifications, err
			}
			notifications = append(notifications, describe(notification))
			<-read
			cancel()
		}
		return notifications, nil
	})
	watch := fake.expect("events.watch")
	for range 3 {
		fake.send(`{"jsonrpc":"2.0","method":"events.synced","params":{"watch":"w1"}}`)
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	fake.respond(fake.expect("sidecar.status"), `{}`)
	<-call
	close(read)
	fake.expect("$/cancelRequest")
	fake.respond(watch, `{"reason":"cancelled"}`)
	if got := <-received; len(got.value) != 1 || !errors.Is(got.err, context.Canceled) {
		t.Errorf("%+v", got)
	}
}

func TestUnreadNotificationsOfALoopAreCoalesced(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	pull, stop := iter.Pull2(client.Events.Watch(context.Background(), WatchParams{}))
	first := background(func() (WatchNotification, error) {
		notification, err, _ := pull()
		return notification, err
	})
	watch := fake.expect("events.watch")
	if string(watch.Params) != `{"watch":"w1"}` {
		t.Errorf("%s", watch.Params)
	}
	fake.send(`{"jsonrpc":"2.0","method":"events.synced","params":{"watch":"w1","sequence":1}}`)
	if got := <-first; got.err != nil {
		t.Fatal(got.err)
	}
	for i := range 10_000 {
		fake.send(`{"jsonrpc":"2.0","method":"events.changed","params":{"watch":"w1","sequence":%d,`+
			`"change":"updated","event":{"runName":"r1","actionName":"a%d","name":"n","phase":"%d"}}}`, i+2, i%10, i)
	}
	fake.send(`{"jsonrpc":"2.0","id":%s,"result":{"reason":"finished"}}`, watch.ID)
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	fake.respond(fake.expect("sidecar.status"), `{}`) // after it has read everything
	if got := <-call; got.err != nil {
		t.Fatal(got.err)
	}
	var received []string
	for {
		notification, err, more := pull()
		if !more {
			break
		}
		received = append(received, describe(must(notification, err)(t)))
	}
	stop()
	if len(received) != 11 || received[0] != "updated n 9990" || received[9] != "updated n 9999" || received[10] != "ended: finished" {
		t.Errorf("%q", received)
	}
}
