// Code generated from schemas/ by "make generate". DO NOT EDIT.

package sidecar

import (
	"context"
	"encoding/json"
	"iter"
)

// Services are the methods of the sidecar, by namespace.
type Services struct {
	Events  *EventsService
	Runs    *RunsService
	RPC     *RPCService
	Sidecar *SidecarService
}

func newServices(client *Client) Services {
	return Services{
		Events:  &EventsService{client},
		Runs:    &RunsService{client},
		RPC:     &RPCService{client},
		Sidecar: &SidecarService{client},
	}
}

// EventsService has the methods events.*.
type EventsService struct{ client *Client }

// List calls events.list: list the events of a run in creation order, a page at a time.
//
// Kinds of its errors, beside those of every call: KindCursorExpired, KindStoreBusy,
// KindStoreUnavailable, KindBackendUnavailable, KindBackendError, KindUnauthenticated,
// KindPermissionDenied.
func (s *EventsService) List(ctx context.Context, params ListParams) (*EventPage, error) {
	return object[EventPage](ctx, s.client, "events.list", params)
}

// ListAll iterates over the events of List, from params.Cursor on. A page is fetched when it is
// needed; an error ends the loop.
func (s *EventsService) ListAll(ctx context.Context, params ListParams) iter.Seq2[*Event, error] {
	return pages("events.list", params.Cursor, func(cursor string) ([]*Event, string, error) {
		params := params // a sequence may be ranged over twice at once
		params.Cursor = cursor
		page, err := s.List(ctx, params)
		if err != nil {
			return nil, "", err
		}
		return page.Events, page.NextCursor, nil
	})
}

// Get calls events.get: get the first event created that fits, or null. Null is a nil pointer.
//
// Kinds of its errors, beside those of every call: KindStoreBusy, KindStoreUnavailable,
// KindBackendUnavailable, KindBackendError, KindUnauthenticated, KindPermissionDenied.
func (s *EventsService) Get(ctx context.Context, params GetParams) (*Event, error) {
	return value[*Event](ctx, s.client, "events.get", params)
}

// Create calls events.create: make an event that waits for an answer. Embedded store only.
//
// Kinds of its errors, beside those of every call: KindEventExists, KindUnsupportedByBackend,
// KindStoreBusy, KindStoreUnavailable, KindBackendUnavailable, KindBackendError,
// KindUnauthenticated, KindPermissionDenied.
func (s *EventsService) Create(ctx context.Context, params CreateParams) (*Event, error) {
	return object[Event](ctx, s.client, "events.create", params)
}

// Signal calls events.signal: answer an event. The first value wins; the same value again is no
// error.
//
// Kinds of its errors, beside those of every call: KindPayloadTypeMismatch, KindEventNotFound,
// KindAmbiguousEvent, KindAlreadySignalled, KindAlreadyCompleted, KindStoreBusy,
// KindStoreUnavailable, KindBackendUnavailable, KindBackendError, KindUnauthenticated,
// KindPermissionDenied.
func (s *EventsService) Signal(ctx context.Context, params SignalParams) (*Event, error) {
	return object[Event](ctx, s.client, "events.signal", params)
}

// Wait calls events.wait: wait until an event is no longer pending. Pass timeoutSeconds unless
// you cancel waits that you abandon: they stay open.
//
// Kinds of its errors, beside those of every call: KindEventNotFound, KindAmbiguousEvent,
// KindTooManyWaits, KindStoreBusy, KindStoreUnavailable, KindBackendUnavailable,
// KindBackendError, KindUnauthenticated, KindPermissionDenied.
func (s *EventsService) Wait(ctx context.Context, params WaitParams) (*Event, error) {
	return object[Event](ctx, s.client, "events.wait", params)
}

// Abort calls events.abort: end an event without an answer. Aborting again keeps the first
// reason.
//
// Kinds of its errors, beside those of every call: KindEventNotFound, KindAmbiguousEvent,
// KindAlreadySignalled, KindAlreadyCompleted, KindStoreBusy, KindStoreUnavailable,
// KindBackendUnavailable, KindBackendError, KindUnauthenticated, KindPermissionDenied.
func (s *EventsService) Abort(ctx context.Context, params AbortParams) (*Event, error) {
	return object[Event](ctx, s.client, "events.abort", params)
}

// Pending calls events.pending: list the events of all runs that wait for an answer, a page at
// a time.
//
// Kinds of its errors, beside those of every call: KindCursorExpired, KindStoreBusy,
// KindStoreUnavailable, KindBackendUnavailable, KindBackendError, KindUnauthenticated,
// KindPermissionDenied.
func (s *EventsService) Pending(ctx context.Context, params PendingParams) (*EventPage, error) {
	return object[EventPage](ctx, s.client, "events.pending", params)
}

// PendingAll iterates over the events of Pending, from params.Cursor on. A page is fetched when
// it is needed; an error ends the loop.
func (s *EventsService) PendingAll(ctx context.Context, params PendingParams) iter.Seq2[*Event, error] {
	return pages("events.pending", params.Cursor, func(cursor string) ([]*Event, string, error) {
		params := params // a sequence may be ranged over twice at once
		params.Cursor = cursor
		page, err := s.Pending(ctx, params)
		if err != nil {
			return nil, "", err
		}
		return page.Events, page.NextCursor, nil
	})
}

// Watch calls events.watch: be told of events as they stand and as they change, by
// notifications. Nothing is sent before the loop begins. The watch ends with the loop, with
// ctx, or by an error; a *WatchResult comes last where it ended otherwise. An empty Watch is
// given a name. A slow loop is told the newest state of each event, so Sequence may skip, and
// need not rise.
//
// Kinds of its errors, beside those of every call: KindTooManyWaits, KindStoreBusy,
// KindStoreUnavailable, KindBackendUnavailable, KindBackendError, KindUnauthenticated,
// KindPermissionDenied.
func (s *EventsService) Watch(ctx context.Context, params WatchParams) iter.Seq2[Notice, error] {
	return watch(ctx, s.client, "events.watch", params.Watch, func(name string) any {
		params := params // a sequence may be ranged over twice at once
		params.Watch = name
		return params
	}, func() Notice { return new(WatchResult) })
}

// Unwatch calls events.unwatch: end a watch; answered after its end.
func (s *EventsService) Unwatch(ctx context.Context, params UnwatchParams) error {
	return invoke(ctx, s.client, "events.unwatch", params, nil)
}

// RunsService has the methods runs.*.
type RunsService struct{ client *Client }

// List calls runs.list: list runs, the last created first, and how many of their events are
// pending.
//
// Kinds of its errors, beside those of every call: KindCursorExpired, KindStoreBusy,
// KindStoreUnavailable, KindBackendUnavailable, KindBackendError, KindUnauthenticated,
// KindPermissionDenied.
func (s *RunsService) List(ctx context.Context, params RunsParams) (*RunPage, error) {
	return object[RunPage](ctx, s.client, "runs.list", params)
}

// ListAll iterates over the runs of List, from params.Cursor on. A page is fetched when it is
// needed; an error ends the loop.
func (s *RunsService) ListAll(ctx context.Context, params RunsParams) iter.Seq2[*RunInfo, error] {
	return pages("runs.list", params.Cursor, func(cursor string) ([]*RunInfo, string, error) {
		params := params // a sequence may be ranged over twice at once
		params.Cursor = cursor
		page, err := s.List(ctx, params)
		if err != nil {
			return nil, "", err
		}
		return page.Runs, page.NextCursor, nil
	})
}

// RPCService has the methods rpc.*.
type RPCService struct{ client *Client }

// Discover calls rpc.discover: tell the whole contract, as an OpenRPC document.
func (s *RPCService) Discover(ctx context.Context) (json.RawMessage, error) {
	return value[json.RawMessage](ctx, s.client, "rpc.discover", nil)
}

// SidecarService has the methods sidecar.*.
type SidecarService struct{ client *Client }

// Status calls sidecar.status: tell how the sidecar is.
func (s *SidecarService) Status(ctx context.Context) (*Status, error) {
	return object[Status](ctx, s.client, "sidecar.status", nil)
}

// Notice is what a watch tells: *EventChanged, *WatchSynced, *WatchDisconnected,
// *WatchResynced, *WatchResult; a newer version of this package may have more.
type Notice interface {
	// watchName gives the name of the watch that it is for.
	watchName() string
}

func (n *EventChanged) watchName() string      { return n.Watch }
func (n *WatchSynced) watchName() string       { return n.Watch }
func (n *WatchDisconnected) watchName() string { return n.Watch }
func (n *WatchResynced) watchName() string     { return n.Watch }
func (n *WatchResult) watchName() string       { return "" }

// notices makes what the params of a notification are read into.
var notices = map[string]func() Notice{
	"events.changed":      func() Notice { return new(EventChanged) },
	"events.synced":       func() Notice { return new(WatchSynced) },
	"events.disconnected": func() Notice { return new(WatchDisconnected) },
	"events.resynced":     func() Notice { return new(WatchResynced) },
}

// openEnded are the methods that stay open until something happens.
var openEnded = map[string]bool{
	"events.wait":  true,
	"events.watch": true,
}
