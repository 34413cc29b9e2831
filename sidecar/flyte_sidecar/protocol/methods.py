"""The method table."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flyte_sidecar import errors
from flyte_sidecar.events.bulk import EventResults
from flyte_sidecar.events.model import Event, EventPage, RunPage
from flyte_sidecar.protocol.params import (
    AbortManyParams,
    AbortParams,
    CancelLoginParams,
    CancelParams,
    CreateParams,
    GetParams,
    InitializeParams,
    LenientParams,
    ListParams,
    Params,
    PendingParams,
    RunsParams,
    SignalManyParams,
    SignalParams,
    UnwatchParams,
    WaitParams,
    WatchParams,
)
from flyte_sidecar.protocol.results import (
    AuthEnded,
    AuthRequired,
    EventChanged,
    InitializeResult,
    Status,
    WatchDisconnected,
    WatchResult,
    WatchResynced,
    WatchSynced,
)


class Notification(Struct, frozen=True, kw_only=True):
    """A notification that the sidecar sends."""

    name: str
    summary: str
    params: type[Struct]


CHANGED = Notification(
    name="events.changed", summary="An event exists or has changed.", params=EventChanged
)
SYNCED = Notification(
    name="events.synced", summary="All current events have been reported.", params=WatchSynced
)
DISCONNECTED = Notification(
    name="events.disconnected",
    summary="The connection to a backend is lost.",
    params=WatchDisconnected,
)
RESYNCED = Notification(
    name="events.resynced",
    summary="The watch has reconnected to a backend.",
    params=WatchResynced,
)
OF_WATCHES = (CHANGED, SYNCED, DISCONNECTED, RESYNCED)
"""The notifications of an open watch."""

AUTH_REQUIRED = Notification(
    name="sidecar.authRequired",
    summary="A person must log in at the Flyte deployment.",
    params=AuthRequired,
)
AUTH_ENDED = Notification(name="sidecar.authEnded", summary="A login has ended.", params=AuthEnded)
NOTIFICATIONS = (*OF_WATCHES, AUTH_REQUIRED, AUTH_ENDED)


class Method(Struct, frozen=True, kw_only=True):
    """One row of the method table.

    Attributes
    ----------
    result
        The type of the result; None for a notification.
    errors
        The errors of this method, in addition to those that any request may end with.
    open_ended
        Whether the request may stay open indefinitely. It then does not count as unfinished work.
    in_batch
        Whether the method is allowed in a batch.
    notifications
        The notifications sent while the request is open.
    """

    name: str
    summary: str
    params: type[Struct]
    result: Any = None
    errors: tuple[type[errors.SidecarError], ...] = ()
    notification: bool = False
    open_ended: bool = False
    in_batch: bool = True
    notifications: tuple[Notification, ...] = ()


_BACKEND_ERRORS = (
    errors.StoreBusy,
    errors.StoreUnavailable,
    errors.BackendUnavailable,
    errors.BackendError,
    errors.Unauthenticated,
    errors.PermissionDenied,
)
_WRITE_ERRORS = (
    errors.EventNotFound,
    errors.AmbiguousEvent,
    errors.AlreadySignalled,
    errors.AlreadyCompleted,
    *_BACKEND_ERRORS,
)

METHODS: tuple[Method, ...] = (
    Method(
        name="initialize",
        summary="Initialize the connection, as LSP clients do. Optional.",
        params=InitializeParams,
        result=InitializeResult,
        in_batch=False,
    ),
    Method(
        name="initialized",
        summary="The client has received the result of `initialize`.",
        params=LenientParams,
        notification=True,
    ),
    Method(
        name="events.list",
        summary="List the events of a run in creation order, one page at a time.",
        params=ListParams,
        result=EventPage,
        errors=(errors.CursorExpired, *_BACKEND_ERRORS),
    ),
    Method(
        name="events.get",
        summary="Return the event; null if there is none, the oldest if several have the name.",
        params=GetParams,
        result=Event | None,
        errors=_BACKEND_ERRORS,
    ),
    Method(
        name="events.create",
        summary="Create a pending event. Embedded store only.",
        params=CreateParams,
        result=Event,
        errors=(errors.EventExists, errors.UnsupportedByBackend, *_BACKEND_ERRORS),
    ),
    Method(
        name="events.signal",
        summary="Answer an event. The first answer wins; repeating it succeeds.",
        params=SignalParams,
        result=Event,
        errors=(errors.PayloadTypeMismatch, *_WRITE_ERRORS),
    ),
    Method(
        name="events.wait",
        summary=(
            "Wait until an event is resolved. An abandoned wait stays open: pass `timeoutSeconds`,"
            " or cancel it."
        ),
        params=WaitParams,
        result=Event,
        errors=(errors.EventNotFound, errors.AmbiguousEvent, errors.TooManyWaits, *_BACKEND_ERRORS),
        open_ended=True,
    ),
    Method(
        name="events.abort",
        summary="Abort an event. Aborting it again succeeds and keeps the first reason.",
        params=AbortParams,
        result=Event,
        errors=_WRITE_ERRORS,
    ),
    Method(
        name="events.signalMany",
        summary="Answer several events with the same value. Each has its own result.",
        params=SignalManyParams,
        result=EventResults,
        in_batch=False,
    ),
    Method(
        name="events.abortMany",
        summary="Abort several events. Each has its own result.",
        params=AbortManyParams,
        result=EventResults,
        in_batch=False,
    ),
    Method(
        name="events.pending",
        summary="List the pending events of all runs, one page at a time.",
        params=PendingParams,
        result=EventPage,
        errors=(errors.CursorExpired, *_BACKEND_ERRORS),
    ),
    Method(
        name="runs.list",
        summary="List runs, the newest first, with their numbers of pending events.",
        params=RunsParams,
        result=RunPage,
        errors=(errors.CursorExpired, *_BACKEND_ERRORS),
    ),
    Method(
        name="events.watch",
        summary="Report the current events, then every change, by notifications.",
        params=WatchParams,
        result=WatchResult,
        errors=(errors.TooManyWaits, *_BACKEND_ERRORS),
        open_ended=True,
        in_batch=False,
        notifications=OF_WATCHES,
    ),
    Method(
        name="events.unwatch",
        summary="End a watch. The result is sent after the end of the watch.",
        params=UnwatchParams,
        result=type(None),
    ),
    Method(
        name="rpc.discover",
        summary="Return the wire contract as an OpenRPC document.",
        params=Params,
        result=dict[str, Any],
    ),
    Method(
        name="sidecar.status",
        summary="Return the status of the sidecar.",
        params=Params,
        result=Status,
    ),
    Method(
        name="sidecar.cancelLogin",
        summary="Cancel a login that is shown. No other is shown afterwards.",
        params=CancelLoginParams,
        result=type(None),
    ),
    Method(
        name="shutdown",
        summary="Finish the requests in flight. Afterwards only `exit` is allowed.",
        params=LenientParams,
        result=type(None),
        in_batch=False,
    ),
    Method(
        name="exit",
        summary="Exit: with status 0 after `shutdown`, else with 1.",
        params=LenientParams,
        notification=True,
        in_batch=False,
    ),
    Method(
        name="$/cancelRequest",
        summary="Cancel a request. The request is still answered, exactly once.",
        params=CancelParams,
        notification=True,
    ),
)
