package sidecar

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// signalWithResponse returns what a call of events.signal returns for the rest of a response.
func signalWithResponse(t *testing.T, client *Client, fake *fakeSidecar, rest string) (*Event, error) {
	t.Helper()
	call := background(func() (*Event, error) {
		return client.Events.Signal(context.Background(), SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
	})
	fake.send(`{"jsonrpc":"2.0","id":%s%s}`, fake.expect("events.signal").ID, rest)
	got := <-call
	return got.value, got.err
}

func TestAnInvalidResponseIsAnErrorWithTheReason(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	for response, reason := range map[string]string{
		`,"result":null`:                    "the result must not be null",
		`,"result":5`:                       "the result cannot be decoded: json: cannot unmarshal number into Go value of type sidecar.event",
		`,"result":{"createdAt":"at once"}`: `the result cannot be decoded: parsing time "at once"`,
		`,"result":{"payload":{"a":1}}`:     `the result cannot be decoded: payload must be a bool, a number or a string: {"a":1}`,
		``:                                  "the response has neither a result nor an error",
		`,"error":{"code":7,"message":"m"}`: "events.signal: error 7: m",
		`,"error":"no"`:                     `events.signal: error 0: "no"`,
	} {
		event, err := signalWithResponse(t, client, fake, response)
		if event != nil || err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s is %v (%v)", response, event, err)
		}
		if strings.HasPrefix(reason, "the ") != errors.Is(err, KindInvalidResponse) {
			t.Errorf("%s is of another kind: %v", response, err)
		}
	}
}

func TestAWatchWhoseResultIsNullIsAnError(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	watch := background(func() (any, error) { return nil, watchError(client) })
	fake.respond(fake.expect("events.watch"), "null")
	if got := <-watch; got.err == nil || !strings.Contains(got.err.Error(), "must not be null") {
		t.Error(got.err)
	}
}

func TestAnErrorKeepsItsKindOutcomeAndMessageIfOtherMembersAreInvalid(t *testing.T) {
	client, fake := attachFake(t, initializeResult)
	for _, object := range []string{
		`{"data":{"kind":"store_busy","outcome":"unknown","event":{"payload":{}}},"code":1,"message":"m"}`,
		`{"code":1,"message":"m","data":{"event":{"payload":{}},"candidates":5,"kind":"store_busy","outcome":"unknown"}}`,
		`{"code":"one","message":"m","data":{"candidates":[{"payload":[]}],"retryable":"x","outcome":"unknown","kind":"store_busy"}}`,
	} {
		_, err := signalWithResponse(t, client, fake, `,"error":`+object)
		var target *Error
		if !errors.As(err, &target) || !errors.Is(err, KindStoreBusy) || target.Data.Outcome != OutcomeUnknown || target.Message != "m" {
			t.Errorf("%s is %+v", object, err)
		}
	}
}
