//go:build go1.25

package sidecar

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestACallReturnsIfTheSidecarDoesNotRespondToItsCancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := attachFake(t, initializeResult)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		call := background(func() (*Event, error) {
			return client.Events.Signal(ctx, SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
		})
		request := fake.expect("events.signal")
		fake.expect("$/cancelRequest")
		got := <-call
		var target *Error
		if !errors.Is(got.err, context.DeadlineExceeded) || !errors.As(got.err, &target) || target.Data.Outcome != OutcomeUnknown {
			t.Error(got.err)
		}
		if took := time.Since(began); took != time.Second+cancelTimeout {
			t.Errorf("it took %v", took)
		}
		fake.respond(request, `{}`) // late: ignored
	})
}

func TestACallReturnsIfTheSidecarDoesNotReadIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := attachFake(t, initializeResult)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := client.Events.Get(ctx, GetParams{RunName: "r1", Name: "n"})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestCloseReturnsIfThePeerDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := attachFake(t, initializeResult)
		call := background(func() (*Status, error) { return client.Sidecar.Status(context.Background()) })
		fake.expect("sidecar.status")
		began := time.Now()
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != closeTimeout {
			t.Errorf("it took %v", took)
		}
		if got := <-call; !errors.Is(got.err, ErrClosed) {
			t.Error(got.err)
		}
	})
}
