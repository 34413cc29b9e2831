"""Requests, their handlers, and their state until they are completed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from msgspec import Raw, Struct

from flyte_sidecar._futures import AWAITABLE
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.rpc.batches import BatchEntry
from flyte_sidecar.rpc.concurrency_limit import ConcurrencyLimit
from flyte_sidecar.rpc.messages import Envelope


class Request(Struct, frozen=True, eq=False):
    """A request or notification, as received.

    Attributes
    ----------
    id
        JSON text of the id in the response; empty for a notification.
    key
        Canonical form of the id; None if there is no valid and unique id.
    size
        Size of the message in bytes; of an entry of a batch, the size of the entry.
    entry
        Position in a batch, None outside of one.
    """

    id: bytes
    key: bytes | None
    method: str
    params: Raw
    size: int
    entry: BatchEntry | None = None


class WriteOutcome(Protocol):
    """The outcome of a write."""

    def describe(self) -> dict[str, Any]:
        """Return the outcome so far, as members of an error's data."""

    def end(self) -> None:
        """Mark the write as finished, even if it never started."""


class Deferred(Struct, frozen=True, eq=False):
    """What a handler returns for a result that is not available yet.

    Attributes
    ----------
    work
        Coroutine or future of the result.
    write
        The outcome of the write, if the request is one.
    outcome_when_interrupted
        Returns the outcome, a result or an error, of a request that is cancelled or whose time has
        passed, from the reason. By default, it fails with the reason.
    weight
        As how many requests it counts while it is unfinished.
    """

    work: Awaitable[Any]
    write: WriteOutcome | None = None
    outcome_when_interrupted: Callable[[SidecarError], Any] | None = None
    weight: int = 1


DEFERRED = (*AWAITABLE, Deferred)
"""The types that a handler returns instead of a result."""


class ConnectionCounters(Struct, frozen=True):
    """The numbers of a connection's requests.

    Attributes
    ----------
    requests, errors
        Number of received requests and notifications, and of failed ones.
    in_flight, waits
        Number of running tasks, and how many of these are open-ended.
    """

    requests: int
    errors: int
    in_flight: int
    waits: int


class Context(Struct, frozen=True, eq=False):
    """What a connection provides to its handlers.

    Attributes
    ----------
    page_bytes
        Size in bytes that the result of a listing should not exceed.
    notify
        Sends a notification: its method and params.
    request_client
        Sends a request, its method and params, and returns a future of the client's response.
    wait_for_room
        Waits while there is back-pressure, so that a notification can be written at once.
    counters
        Returns the connection's counters.
    end_with_process
        Ends the connection when the process with this id ends.
    add_handlers
        Adds methods to the connection, from the next message on.
    """

    page_bytes: int
    notify: Callable[[str, object], None]
    request_client: Callable[[str, object], asyncio.Future[Envelope]]
    wait_for_room: Callable[[], Awaitable[None]]
    counters: Callable[[], ConnectionCounters]
    end_with_process: Callable[[int], None]
    add_handlers: Callable[[Mapping[str, Handler]], None]


class Handler(Struct, frozen=True):
    """How a method is handled.

    Attributes
    ----------
    decode
        Decodes the params; raises InvalidParams.
    handle
        Returns the result, or a coroutine, a future or `Deferred`; raises SidecarError.
    notification
        Whether the method is a notification: it must not have an id.
    open_ended
        Whether requests may stay open for any time, as waits do. They do not count as unfinished.
    light
        Whether the result is always small, so that the request starts at once.
    in_batch
        Whether the method is allowed in a batch.
    """

    decode: Callable[[Raw], Any]
    handle: Callable[[Any, Context], Any]
    notification: bool = False
    open_ended: bool = False
    light: bool = False
    in_batch: bool = True


class PendingRequest(Struct, eq=False):
    """A request whose result is not known yet.

    Attributes
    ----------
    task
        Runs the request. It may continue after the request is completed.
    timer
        Completes the request at its deadline.
    limit, turn
        Limits how many such requests run at once. `turn` is done once the work may start; None
        if it could start at once.
    cancel_reason
        Why the task was cancelled. It determines the outcome; the task's exception does not.
    completed
        Whether the outcome is decided.
    """

    request: Request
    handler: Handler
    deferred: Deferred
    task: asyncio.Future[Any]
    limit: ConcurrencyLimit | None = None
    turn: asyncio.Future[None] | None = None
    timer: asyncio.TimerHandle | None = None
    cancel_reason: SidecarError | None = None
    completed: bool = False

    @property
    def may_have_written(self) -> bool:
        """Whether the request is a write that may have been applied."""
        write = self.deferred.write
        return write is not None and write.describe()["outcome"] != "none"
