"""Writes to a fixed set of events, with one result for each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from flyte_sidecar._futures import wait_all
from flyte_sidecar._internal_error import internal_error
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import (
    BackendName,
    Event,
    ExpectedType,
    Payload,
    Target,
    without_details,
)

if TYPE_CHECKING:
    from flyte_sidecar.events.service import EventService
    from flyte_sidecar.events.write_order import Write

MAX_CONCURRENT_WRITES: dict[BackendName, int] = {"local": 128, "flyte": 16}
"""Maximum number of concurrent writes of one request.

The store commits concurrent writes together. A deployment has a limit for all requests
(`CallLimiter`), which must leave room for the others.
"""

MAX_CONCURRENT_BYTES = 64 << 20
"""Limit for the size of the events that are written concurrently."""

MAX_EVENT_BYTES = 8 << 10
"""Size above which a result contains a partial event.

Flyte's longest prompt and description fit.
"""


class EventResult(Struct, frozen=True, kw_only=True):
    """The result for one of several events: either `event` or `error`."""

    event: Annotated[
        Event | None,
        Meta(
            description="The event after the write; null if the write failed. An event of more than"
            " 8 KiB is partial."
        ),
    ]
    error: Annotated[
        Annotated[SidecarError, Meta(extra_json_schema={"$ref": "#/$defs/Error"})] | None,
        Meta(description="Why the write failed; null if it did not."),
    ]


class EventResults(Struct, frozen=True, kw_only=True):
    """One result for each of several events."""

    results: Annotated[
        list[EventResult], Meta(description="The results, in the order of `events`.")
    ]


class BulkWrite:
    """Writes the same to a fixed set of events.

    The writes are registered at once in the order of writes, and performed concurrently. None
    affects another.

    Parameters
    ----------
    targets
        The events. One that occurs several times is written once.
    on_result
        Called with each target and its result, as soon as that is known.
    """

    def __init__(
        self,
        service: EventService,
        targets: Sequence[Target],
        on_result: Callable[[Target, EventResult], None] = lambda target, result: None,
    ) -> None:
        self._service = service
        self._targets = targets
        self._on_result = on_result
        self._writes = {target: service.write(target) for target in dict.fromkeys(targets)}
        self._results: dict[Target, EventResult] = {}
        self._queues: dict[BackendName, deque[Write]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._interrupted: SidecarError | None = None
        self._largest = 1

    async def signal(
        self, payload: Payload, payload_type: ExpectedType | None = None
    ) -> EventResults:
        """Answer the events, and return one result for each."""
        return await self._perform(lambda write: self._service.signal(write, payload, payload_type))

    async def abort(self, reason: str | None) -> EventResults:
        """Abort the events, and return one result for each."""
        return await self._perform(lambda write: self._service.abort(write, reason))

    def interrupt(self, reason: SidecarError) -> EventResults:
        """Start no more writes, and return the results so far; `reason` is the error of the others.

        Writes that were sent to the backend may still take effect.
        """
        self._interrupted = reason
        self._stop()
        return self._all()

    def describe(self) -> dict[str, Any]:
        """Return whether any of the writes may have happened, as `Write.describe` does."""
        outcomes = {write.describe()["outcome"] for write in self._writes.values()}
        return {"outcome": "unknown" if "unknown" in outcomes else "none", "actionName": None}

    def end(self) -> None:
        """Let the later writes proceed, even if no write was started; idempotent."""
        for write in self._writes.values():
            write.end()

    async def _perform(self, perform: Callable[[Write], Awaitable[Event]]) -> EventResults:
        backend = self._service.backend
        for target, write in self._writes.items():
            name = backend.name_of(target.run.scope)
            self._queues.setdefault(name, deque()).append(write)
        draining = [
            asyncio.ensure_future(self._drain(queue, MAX_CONCURRENT_WRITES[name], perform))
            for name, queue in self._queues.items()
        ]
        try:
            await wait_all(draining)
        except asyncio.CancelledError:
            self._stop()
            await wait_all(draining)  # the results of writes that were sent are worth waiting for
            raise
        finally:
            self.end()
        return self._all()

    async def _drain(
        self, queue: deque[Write], maximum: int, perform: Callable[[Write], Awaitable[Event]]
    ) -> None:
        """Perform the writes of a backend: few at first, and more as their sizes become known."""
        allowed = 1
        running: set[asyncio.Task[None]] = set()
        while queue or running:
            while queue and len(running) < allowed:
                task = asyncio.ensure_future(self._write(queue.popleft(), perform))
                running.add(task)
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            fitting = max(1, MAX_CONCURRENT_BYTES // self._largest)
            allowed = min(allowed + len(done), maximum, fitting)

    async def _write(self, write: Write, perform: Callable[[Write], Awaitable[Event]]) -> None:
        try:
            result = EventResult(event=self._bounded(await perform(write)), error=None)
        except SidecarError as error:
            result = self._failed(write, error)
        except Exception as error:
            result = self._failed(write, internal_error(error))
        self._results[write.target] = result
        self._on_result(write.target, result)

    def _stop(self) -> None:
        """Start no more writes, and cancel those that were not sent yet."""
        for queue in self._queues.values():
            queue.clear()
        for task in self._running:
            task.cancel()

    def _all(self) -> EventResults:
        results = dict(self._results)
        if self._interrupted is not None:
            for target in self._writes.keys() - results.keys():
                results[target] = self._failed(self._writes[target], self._interrupted)
        return EventResults(results=[results[target] for target in self._targets])

    def _failed(self, write: Write, error: SidecarError) -> EventResult:
        members = {
            name: self._bounded(member) if isinstance(member, Event) else member
            for name, member in error.data_with(write.describe()).items()
        }
        return EventResult(event=None, error=type(error)(error.message, **members))

    def _bounded(self, event: Event) -> Event:
        self._largest = max(self._largest, event.size)
        return event if event.size <= MAX_EVENT_BYTES else without_details(event)
