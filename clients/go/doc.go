// Package sidecar is the client of flyte-sidecar, the process through which programs see and
// answer the events that runs of Flyte wait for.
//
// [Start] runs a sidecar and talks to it over its stdin and stdout; [Attach] talks to one over
// any two streams. The methods stand under their namespaces: events.list is
// client.Events.List. Every method may be called from any number of goroutines at once.
//
// # Values
//
// The zero value of an optional param leaves it out, and null in a result is the zero value: an
// empty string, a zero time, a nil [Payload]. Sets of words ([Phase], [Change], [ErrorKind]) are
// open: expect words that this package has no constant for. A param whose zero value means
// something of its own is sent by [Client.Call]. Strings have to be valid UTF-8: what is not is
// replaced, and in a [Str] refused.
//
// A [Payload] keeps its type both ways: [Bool], [Int], [Float] or [Str].
//
// # Errors
//
// An error that the sidecar answered is an [*Error], found by [errors.As]; its kind is matched by
// [errors.Is]:
//
//	if errors.Is(err, sidecar.KindAlreadySignalled) { ... }
//
// The methods name the kinds that are theirs. Beside them any call may end with
// [KindInvalidParams], [KindMessageTooLarge], [KindDeadlineExceeded], [KindRequestCancelled],
// [KindShuttingDown], [KindInternalError] or, of an older sidecar, [KindMethodNotFound], and with
// [KindDisconnected], [KindInvalidResponse] or [KindClosed].
//
// The client's own errors are [*StartError], [*VersionError], [*DisconnectedError] and
// [ErrClosed], and they match kinds too. After a [*DisconnectedError] it is not known whether a
// write that was under way happened; signalling again by ActionName is safe.
//
// # Cancellation
//
// Bound a call by its context. TimeoutSeconds is the sidecar's own clock: once it has run out the
// error is [KindDeadlineExceeded] and not [context.DeadlineExceeded], and a sidecar that is stuck
// does not look at it.
//
// When the context of a call ends, the sidecar is told at once and the call returns what the
// sidecar says: the result where it was decided already (an event that was signalled is told as
// signalled), else an error that matches both the context's error and an [*Error], whose
// Data.Outcome tells what is known of a write. That answer takes an instant, or up to ten seconds
// where a backend has a write in hand; a sidecar that gives none is waited for no longer than 15
// seconds. A call whose context ended before its message was sent returns at once, and nothing is
// sent.
//
// # Watches
//
// A watch is a range over notices. What the loop has not read yet is kept as the newest state of
// each event, so that a slow loop costs memory by the number of events alone, and delays no other
// call: the loop's body may use the same client. Sequence is that of the newest notice folded in,
// so that it may skip numbers and need not rise.
package sidecar
