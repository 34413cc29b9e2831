package sidecar

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// answered gives what events.signal gives for an answer.
func answered(t *testing.T, client *Client, player *player, answer string) (*Event, error) {
	t.Helper()
	call := background(func() (*Event, error) {
		return client.Events.Signal(context.Background(), SignalParams{RunName: "r1", Name: "n", Payload: Bool(true)})
	})
	player.send(`{"jsonrpc":"2.0","id":%s%s}`, player.expect("events.signal").ID, answer)
	got := <-call
	return got.value, got.err
}

func TestAnAnswerThatCannotBeReadIsAnErrorThatSaysSo(t *testing.T) {
	client, player := play(t, hello)
	for answer, says := range map[string]string{
		`,"result":null`:                    "the answer cannot be read: it is null",
		`,"result":5`:                       "the answer cannot be read: json: cannot unmarshal number into Go value of type sidecar.event",
		`,"result":{"createdAt":"at once"}`: `the answer cannot be read: parsing time "at once"`,
		`,"result":{"payload":{"a":1}}`:     `the answer cannot be read: a payload is a bool, a number or a string: {"a":1}`,
		``:                                  "the answer has neither a result nor an error",
		`,"error":{"code":7,"message":"m"}`: "events.signal: error 7: m",
		`,"error":"no"`:                     `events.signal: error 0: "no"`,
	} {
		event, err := answered(t, client, player, answer)
		if event != nil || err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s is %v (%v)", answer, event, err)
		}
		if strings.Contains(says, "the answer") != errors.Is(err, KindInvalidResponse) {
			t.Errorf("%s is of another kind: %v", answer, err)
		}
	}
}

func TestAWatchWhoseResultIsNullIsAnError(t *testing.T) {
	client, player := play(t, hello)
	watch := background(func() (any, error) { return nil, watched(client) })
	player.answer(player.expect("events.watch"), "null")
	if got := <-watch; got.err == nil || !strings.Contains(got.err.Error(), "cannot be read") {
		t.Error(got.err)
	}
}

func TestAnErrorKeepsItsKindOutcomeAndMessageWhateverElseIsInIt(t *testing.T) {
	client, player := play(t, hello)
	for _, answer := range []string{
		`{"data":{"kind":"store_busy","outcome":"unknown","event":{"payload":{}}},"code":1,"message":"m"}`,
		`{"code":1,"message":"m","data":{"event":{"payload":{}},"candidates":5,"kind":"store_busy","outcome":"unknown"}}`,
		`{"code":"one","message":"m","data":{"candidates":[{"payload":[]}],"retryable":"x","outcome":"unknown","kind":"store_busy"}}`,
	} {
		_, err := answered(t, client, player, `,"error":`+answer)
		var told *Error
		if !errors.As(err, &told) || !errors.Is(err, KindStoreBusy) || told.Data.Outcome != OutcomeUnknown || told.Message != "m" {
			t.Errorf("%s is %+v", answer, err)
		}
	}
}
