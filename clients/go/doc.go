// Package sidecar is a client for flyte-sidecar, a process through which programs list, watch and
// answer the events that Flyte workflow runs wait for.
//
// [Start] runs a sidecar and communicates with it over its stdin and stdout. [Attach] connects to
// a sidecar over two streams. Methods are grouped by namespace: events.list is
// client.Events.List. All methods are safe for concurrent use.
//
// # Values
//
// The zero value of an optional param omits it. Null in a result is the zero value: an empty
// string, a zero time, or a nil [Payload]. Enums ([Phase], [Change], [ErrorKind]) are open: expect
// values that this package has no constant for. To send a param whose zero value is meaningful,
// use [Client.Call]. Strings must be valid UTF-8: invalid bytes are replaced, and an invalid [Str]
// is an error.
//
// A [Payload] keeps its type in both directions: [Bool], [Int], [Float] or [Str].
//
// # Errors
//
// An error response of the sidecar is an [*Error], which [errors.As] finds. Match its kind with
// [errors.Is]:
//
//	if errors.Is(err, sidecar.KindAlreadySignalled) { ... }
//
// Each method documents its own error kinds. In addition, any call may fail with
// [KindInvalidParams], [KindMessageTooLarge], [KindDeadlineExceeded], [KindRequestCancelled],
// [KindShuttingDown], [KindInternalError], [KindDisconnected], [KindInvalidResponse] or
// [KindClosed], and with [KindMethodNotFound] if the sidecar is older than this package.
//
// The client's own errors are [*StartError], [*VersionError], [*DisconnectedError] and
// [ErrClosed]. They match kinds too. After a [*DisconnectedError], it is unknown whether a write in
// flight took effect. Retrying a signal by ActionName is safe.
//
// # Cancellation
//
// Limit the duration of a call with its context. TimeoutSeconds is a timeout that the sidecar
// enforces: it results in [KindDeadlineExceeded], not in [context.DeadlineExceeded], and has no
// effect if the sidecar hangs.
//
// When the context of a call is done, the client sends a cancellation and waits for the response.
// If the sidecar had already finished the request, the call returns its result. Otherwise it
// returns an error that matches both the context's error and an [*Error] whose Data.Outcome says
// whether a write may have happened. The response usually arrives immediately, and within ten
// seconds if a backend is processing a write. The client stops waiting for it after 15 seconds. If
// the context is done before the request is sent, the call returns immediately and sends nothing.
//
// # Watches
//
// A watch is an iterator over notifications. Notifications that the loop has not read yet are
// coalesced into the latest state of each event. A slow loop therefore uses memory in proportion to
// the number of events and never blocks other calls, so the loop body may use the same client.
// Sequence is that of the latest coalesced notification: it can skip numbers and can decrease.
package sidecar
