//go:build go1.25

package sidecar

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestACancellationThatIsNotAnsweredIsGivenUpAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, player := play(t, hello)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		call := background(func() (*Event, error) {
			return client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
		})
		request := player.expect("events.signal")
		player.expect("$/cancelRequest")
		got := <-call
		var told *Error
		if !errors.Is(got.err, context.DeadlineExceeded) || !errors.As(got.err, &told) || told.Data.Outcome != OutcomeUnknown {
			t.Error(got.err)
		}
		if took := time.Since(began); took != time.Second+patience {
			t.Errorf("it takes %v", took)
		}
		player.answer(request, `{}`) // late, and nobody's
	})
}

func TestACallThatAPeerDoesNotReadIsGivenUpAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := play(t, hello)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := client.Events.Get(ctx, GetParams{RunName: "r1", Name: "n"})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestClosingGivesUpAPeerThatDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, player := play(t, hello)
		call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
		player.expect("sidecar.status")
		began := time.Now()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != patience {
			t.Errorf("it takes %v", took)
		}
		if got := <-call; !errors.Is(got.err, ErrClosed) {
			t.Error(got.err)
		}
	})
}
