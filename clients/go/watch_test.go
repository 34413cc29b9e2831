package sidecar

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
)

// words gives a notice in short.
func words(notice Notice) string {
	switch n := notice.(type) {
	case *EventChanged:
		return fmt.Sprintf("%s %s %s", n.Change, n.Event.Name, n.Event.Phase)
	case *WatchResult:
		return "ended: " + string(n.Reason)
	default:
		return fmt.Sprintf("%T", notice)
	}
}

// follow goes over a watch until a step stops it, and gives what was told.
func follow(t *testing.T, watch iter.Seq2[Notice, error], step func(Notice) bool) (told []string) {
	t.Helper()
	for notice, err := range watch {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, words(notice))
		if !step(notice) {
			break
		}
	}
	return told
}

func TestAWatchTellsWhatStandsThenChangesThenItsEnd(t *testing.T) {
	client, ctx := start(t), limited(t)
	create(t, client, "deploy", ExpectedTypeBool)
	told := follow(t, client.Events.Watch(ctx, WatchParams{RunName: "r1"}), func(notice Notice) bool {
		switch n := notice.(type) {
		case *WatchSynced: // the body of the loop uses the client
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
	if !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}

func TestNothingIsLeftOfAWatchWhoseLoopIsLeft(t *testing.T) {
	client, ctx := start(t), limited(t)
	create(t, client, "deploy", ExpectedTypeBool)
	watch := client.Events.Watch(ctx, WatchParams{Watch: "mine"})
	for range 2 { // and its name is free again
		told := follow(t, watch, func(Notice) bool { return false })
		if !slices.Equal(told, []string{"created deploy PAUSED"}) {
			t.Errorf("%q", told)
		}
		if open := must(client.Sidecar.Status(ctx))(t).Counters.Watches; open != 0 {
			t.Errorf("%d watches are open", open)
		}
	}
}

func TestAWatchIsEndedByAPanicOfItsLoop(t *testing.T) {
	client, ctx := start(t), limited(t)
	func() {
		defer func() { recover() }()
		follow(t, client.Events.Watch(ctx, WatchParams{}), func(Notice) bool { panic("oh") })
	}()
	if open := must(client.Sidecar.Status(ctx))(t).Counters.Watches; open != 0 {
		t.Errorf("%d watches are open", open)
	}
}

func TestAWatchEndsWithItsContext(t *testing.T) {
	client := start(t)
	ctx, cancel := context.WithCancel(limited(t))
	defer cancel()
	var told []error
	for notice, err := range client.Events.Watch(ctx, WatchParams{RunName: "r1"}) {
		if _, synced := notice.(*WatchSynced); synced {
			cancel()
			continue
		}
		told = append(told, err)
	}
	if len(told) != 1 || !errors.Is(told[0], context.Canceled) {
		t.Errorf("%v", told)
	}
	if open := must(client.Sidecar.Status(limited(t)))(t).Counters.Watches; open != 0 {
		t.Errorf("%d watches are open", open)
	}
	for notice, err := range client.Events.Watch(ctx, WatchParams{}) {
		if notice != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("a watch that never began tells %v (%v)", notice, err)
		}
	}
}

func TestWatchesAreToldApart(t *testing.T) {
	client, ctx := start(t), limited(t)
	next := map[string]func() (Notice, error, bool){}
	for _, run := range []string{"r1", "r2"} {
		pull, stop := iter.Pull2(client.Events.Watch(ctx, WatchParams{RunName: run}))
		defer stop()
		next[run] = pull
		if notice, err, _ := pull(); err != nil || words(notice) != "*sidecar.WatchSynced" {
			t.Fatalf("%v (%v)", notice, err)
		}
	}
	for _, run := range []string{"r2", "r1"} {
		must(client.Events.Create(ctx, CreateParams{RunName: run, Name: run}))(t)
	}
	for run, pull := range next {
		if notice, err, _ := pull(); err != nil || words(notice) != "created "+run+" PAUSED" {
			t.Errorf("the watch of %s tells %v (%v)", run, notice, err)
		}
	}
}

func TestAnErrorOfTheSidecarEndsTheLoop(t *testing.T) {
	client, player := play(t, hello)
	told := background(func() ([]string, error) {
		for notice, err := range client.Events.Watch(context.Background(), WatchParams{}) {
			if notice != nil {
				return nil, errors.New(words(notice))
			}
			if err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	player.refuse(player.expect("events.watch"), 1017, `{"kind":"too_many_waits","retryable":true,"limit":10}`)
	if got := <-told; !errors.Is(got.err, KindTooManyWaits) {
		t.Error(got.err)
	}
}

func TestAWatchOfAnOpenNameIsRefused(t *testing.T) {
	client, ctx := start(t), limited(t)
	pull, stop := iter.Pull2(client.Events.Watch(ctx, WatchParams{Watch: "mine"}))
	defer stop()
	if _, err, _ := pull(); err != nil {
		t.Fatal(err)
	}
	for notice, err := range client.Events.Watch(ctx, WatchParams{Watch: "mine"}) {
		if notice != nil || !errors.Is(err, KindInvalidParams) {
			t.Errorf("%v (%v)", notice, err)
		}
	}
	create(t, client, "deploy", ExpectedTypeBool)
	if notice, err, _ := pull(); err != nil || words(notice) != "created deploy PAUSED" {
		t.Errorf("%v (%v)", notice, err)
	}
}

func TestOfWatchesOfOneNameTheOneThatIsOpenIsTold(t *testing.T) {
	client, player := play(t, hello)
	watch := client.Events.Watch(context.Background(), WatchParams{Watch: "mine"})
	const notice = `{"jsonrpc":"2.0","method":"events.changed","params":{"watch":"mine","change":"created","event":{"name":"%s"}}}`
	first := gather(watch)
	requests := []sent{player.expect("events.watch")}
	second := gather(watch)
	requests = append(requests, player.expect("events.watch"))
	player.send(notice, "a")
	if got := <-first; got.err != nil || words(got.value) != "created a " {
		t.Errorf("%+v", got)
	}
	player.answer(requests[0], `{"reason":"finished"}`)
	player.send(notice, "b")
	if got := <-second; got.err != nil || words(got.value) != "created b " {
		t.Errorf("%+v", got)
	}
	player.answer(requests[1], `{"reason":"finished"}`)
	for _, watch := range []<-chan outcome[Notice]{first, second} {
		if got := <-watch; got.err != nil || words(got.value) != "ended: finished" {
			t.Errorf("%+v", got)
		}
	}
}

func TestNothingIsToldAfterTheEndOfTheContext(t *testing.T) {
	client, player := play(t, hello)
	ctx, cancel := context.WithCancel(context.Background())
	read := make(chan struct{})
	told := background(func() (notices []string, _ error) {
		for notice, err := range client.Events.Watch(ctx, WatchParams{}) {
			if err != nil {
				return notices, err
			}
			notices = append(notices, words(notice))
			<-read
			cancel()
		}
		return notices, nil
	})
	watch := player.expect("events.watch")
	for range 3 {
		player.send(`{"jsonrpc":"2.0","method":"events.synced","params":{"watch":"w1"}}`)
	}
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	player.answer(player.expect("sidecar.status"), `{}`)
	<-call
	close(read)
	player.expect("$/cancelRequest")
	player.answer(watch, `{"reason":"cancelled"}`)
	if got := <-told; len(got.value) != 1 || !errors.Is(got.err, context.Canceled) {
		t.Errorf("%+v", got)
	}
}

func TestWhatALoopHasNotReadIsFolded(t *testing.T) {
	client, player := play(t, hello)
	pull, stop := iter.Pull2(client.Events.Watch(context.Background(), WatchParams{}))
	first := background(func() (Notice, error) {
		notice, err, _ := pull()
		return notice, err
	})
	watch := player.expect("events.watch")
	if string(watch.Params) != `{"watch":"w1"}` {
		t.Errorf("%s", watch.Params)
	}
	player.send(`{"jsonrpc":"2.0","method":"events.synced","params":{"watch":"w1","sequence":1}}`)
	if got := <-first; got.err != nil {
		t.Fatal(got.err)
	}
	for i := range 10_000 {
		player.send(`{"jsonrpc":"2.0","method":"events.changed","params":{"watch":"w1","sequence":%d,`+
			`"change":"updated","event":{"runName":"r1","actionName":"a%d","name":"n","phase":"%d"}}}`, i+2, i%10, i)
	}
	player.send(`{"jsonrpc":"2.0","id":%s,"result":{"reason":"finished"}}`, watch.ID)
	call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
	player.answer(player.expect("sidecar.status"), `{}`) // after it all was read
	if got := <-call; got.err != nil {
		t.Fatal(got.err)
	}
	var told []string
	for {
		notice, err, more := pull()
		if !more {
			break
		}
		told = append(told, words(must(notice, err)(t)))
	}
	stop()
	if len(told) != 11 || told[0] != "updated n 9990" || told[9] != "updated n 9999" || told[10] != "ended: finished" {
		t.Errorf("%q", told)
	}
}
