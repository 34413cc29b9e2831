"""The method table."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from flyte_sidecar import errors
from flyte_sidecar.events.model import Event, EventPage, RunPage
from flyte_sidecar.protocol.params import (
    AbortParams,
    CancelParams,
    CreateParams,
    GetParams,
    InitializeParams,
    LenientParams,
    ListParams,
    Params,
    PendingParams,
    RunsParams,
    SignalParams,
    UnwatchParams,
    WaitParams,
    WatchParams,
)
from flyte_sidecar.protocol.results import (
    EventChanged,
    InitializeResult,
    Status,
    WatchDisconnected,
    WatchResult,
    WatchResynced,
    WatchSynced,
)


class Notification(Struct, frozen=True, kw_only=True):
    """One notification that the sidecar sends."""

    name: str
    summary: str
    params: type[Struct]


CHANGED = Notification(
    name="events.changed", summary="An event stands or has changed.", params=EventChanged
)
SYNCED = Notification(
    name="events.synced", summary="Every event that stands has been told.", params=WatchSynced
)
DISCONNECTED = Notification(
    name="events.disconnected", summary="The backend is lost for now.", params=WatchDisconnected
)
RESYNCED = Notification(
    name="events.resynced", summary="The backend is found again.", params=WatchResynced
)
NOTIFICATIONS = (CHANGED, SYNCED, DISCONNECTED, RESYNCED)


class Method(Struct, frozen=True, kw_only=True):
    """One row of the method table.

    Attributes
    ----------
    result
        The type of the result; None for a notification.
    errors
        The kinds of its own, beside those that any request may meet.
    open_ended
        Whether it stays open until something happens, and so does not count as work.
    in_batch
        Whether it may stand in a batch.
    notifications
        What it sends while it is open.
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


_STORE = (
    errors.StoreBusy,
    errors.StoreUnavailable,
    errors.BackendUnavailable,
    errors.BackendError,
    errors.Unauthenticated,
    errors.PermissionDenied,
)
_WRITE = (
    errors.EventNotFound,
    errors.AmbiguousEvent,
    errors.AlreadySignalled,
    errors.AlreadyCompleted,
    *_STORE,
)

METHODS: tuple[Method, ...] = (
    Method(
        name="initialize",
        summary="Open the conversation, as LSP clients do. Never required.",
        params=InitializeParams,
        result=InitializeResult,
        in_batch=False,
    ),
    Method(
        name="initialized",
        summary="The client has read the answer to initialize.",
        params=LenientParams,
        notification=True,
    ),
    Method(
        name="events.list",
        summary="List the events of a run in creation order, a page at a time.",
        params=ListParams,
        result=EventPage,
        errors=(errors.CursorExpired, *_STORE),
    ),
    Method(
        name="events.get",
        summary="Get the first event created that fits, or null.",
        params=GetParams,
        result=Event | None,
        errors=_STORE,
    ),
    Method(
        name="events.create",
        summary="Make an event that waits for an answer. Embedded store only.",
        params=CreateParams,
        result=Event,
        errors=(errors.EventExists, errors.UnsupportedByBackend, *_STORE),
    ),
    Method(
        name="events.signal",
        summary="Answer an event. The first value wins; the same value again is no error.",
        params=SignalParams,
        result=Event,
        errors=(errors.PayloadTypeMismatch, *_WRITE),
    ),
    Method(
        name="events.wait",
        summary=(
            "Wait until an event is no longer pending. Pass timeoutSeconds unless you cancel waits"
            " that you abandon: they stay open."
        ),
        params=WaitParams,
        result=Event,
        errors=(errors.EventNotFound, errors.AmbiguousEvent, errors.TooManyWaits, *_STORE),
        open_ended=True,
    ),
    Method(
        name="events.abort",
        summary="End an event without an answer. Aborting again keeps the first reason.",
        params=AbortParams,
        result=Event,
        errors=_WRITE,
    ),
    Method(
        name="events.pending",
        summary="List the events of all runs that wait for an answer, a page at a time.",
        params=PendingParams,
        result=EventPage,
        errors=(errors.CursorExpired, *_STORE),
    ),
    Method(
        name="runs.list",
        summary="List runs, the last created first, and how many of their events are pending.",
        params=RunsParams,
        result=RunPage,
        errors=(errors.CursorExpired, *_STORE),
    ),
    Method(
        name="events.watch",
        summary="Be told of events as they stand and as they change, by notifications.",
        params=WatchParams,
        result=WatchResult,
        errors=(errors.TooManyWaits, *_STORE),
        open_ended=True,
        in_batch=False,
        notifications=NOTIFICATIONS,
    ),
    Method(
        name="events.unwatch",
        summary="End a watch; answered after its end.",
        params=UnwatchParams,
        result=type(None),
    ),
    Method(
        name="rpc.discover",
        summary="Tell the whole contract, as an OpenRPC document.",
        params=Params,
        result=dict[str, Any],
    ),
    Method(
        name="sidecar.status",
        summary="Tell how the sidecar is.",
        params=Params,
        result=Status,
    ),
    Method(
        name="shutdown",
        summary="Finish what is under way; only exit may follow.",
        params=LenientParams,
        result=type(None),
        in_batch=False,
    ),
    Method(
        name="exit",
        summary="End the process: with 0 after shutdown, else with 1.",
        params=LenientParams,
        notification=True,
        in_batch=False,
    ),
    Method(
        name="$/cancelRequest",
        summary="Stop working on a request, which is then answered all the same.",
        params=CancelParams,
        notification=True,
    ),
)
