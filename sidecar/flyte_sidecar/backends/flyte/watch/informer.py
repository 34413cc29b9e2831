"""Following a run: list, watch, resync.

A stream reports changes, but it is lossy, it breaks, for some runs it never works, and before
2.0.43 it does not report answers. It only marks actions as dirty, which are then read; and now and
then the run is listed again. A change may be found late, and is never lost. Whatever is read
goes into the cache, which alone delivers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar._futures import retrieve_exception
from flyte_sidecar.backends.flyte.read.events import EventReader, chunks
from flyte_sidecar.backends.flyte.rpc.enums import FINAL, phase_name
from flyte_sidecar.backends.flyte.rpc.error_translation import (
    as_error,
    may_recover,
    retryable_error,
)
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction, event_metadata
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import PAGE_SIZE, RunService
from flyte_sidecar.backends.flyte.watch.refresh_failures import (
    PERSISTENT_FAILURES,
    RefreshFailures,
    internal_error,
)
from flyte_sidecar.backends.flyte.watch.schedule import Schedule, SharedRates
from flyte_sidecar.backends.flyte.watch.stream import Stream
from flyte_sidecar.backends.flyte.watch.subscribers import Subscribers
from flyte_sidecar.errors import EventNotFound
from flyte_sidecar.events.model import SUCCEEDED, Run, Target

BATCH = 1000
"""Dirty events refreshed before it is checked again whether the stream broke."""

CONCURRENT_REFRESHES = 64
"""Events that are refreshed at once, and rows whose details are rather fetched than awaited."""


class RunInformer:
    """Keeps the cache up to date with one run until it is stopped.

    Parameters
    ----------
    run, service, reader, address
        The run, and how to read it from where.
    rates
        What the connection's informers share.
    """

    def __init__(
        self, run: Run, service: RunService, reader: EventReader, address: str, rates: SharedRates
    ) -> None:
        self.subscribers = Subscribers()
        self._run = run
        self._service = service
        self._reader = reader
        self._cache = reader.cache
        self._address = address
        self._rates = rates
        self._timing = rates.timing
        self._schedule = Schedule(rates)
        self._stream = Stream(run, service, rates, self._on_action, self.wake)
        self._failures = RefreshFailures(run, address, rates.timing)
        self._woken = asyncio.Event()
        self._dirty: dict[str, str] = {}  # the phase in which each was reported
        self._tasks: set[str] = set()  # actions that are no events
        self._rows = 0  # in the last listing
        self._resync_now = False
        self._run_over = False
        self._defects = 0  # in a row
        self._changes: int | None = None  # when it was last checked; None before the first sync
        self._task = asyncio.ensure_future(self._follow())
        self._task.add_done_callback(lambda _: self._schedule.close())

    def resync(self) -> None:
        """List the run soon."""
        self._resync_now = True
        self._schedule.changed()
        self.wake()

    def refresh(self, action: str) -> None:
        """Read an event soon if it may have ended since it was read."""
        if self._cache.used_since_update(self._run, action) or self._cache.is_resolved(
            self._run, action
        ):
            self._dirty[action] = SUCCEEDED
        self._schedule.changed()
        self.wake()

    def wake(self) -> None:
        """Check what is due: something is dirty, or the intervals have changed."""
        self._woken.set()

    def stop(self) -> asyncio.Future[None]:
        """Stop following; return a future of the end."""
        self._task.cancel()
        return self._task

    async def _follow(self) -> None:
        """Go on, whatever fails; the more often that happens, the slower."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            begun = loop.time()
            try:
                await self._follow_until_failure()
            except RpcError as failure:
                if may_recover(failure):
                    self.subscribers.disconnect(retryable_error(failure, self._address))
                else:
                    self.subscribers.fail(as_error(failure, self._address))
            except Exception as fault:
                self._defects += 1
                error = internal_error(fault, f"run {self._run.name!r}", self._defects)
                if self._defects >= PERSISTENT_FAILURES:  # nobody must wait for nothing
                    self.subscribers.fail(error)
            failures = 1 if loop.time() - begun > self._timing.resync_interval else failures + 1
            await asyncio.sleep(max(self._timing.backoff(failures), self._rates.retry_interval))

    async def _follow_until_failure(self) -> None:
        streaming = asyncio.ensure_future(self._stream.follow())
        streaming.add_done_callback(retrieve_exception)
        try:
            while True:
                await self._resync()
                self._defects = 0
                self._stream.record_call_success()
                await self._end_if_over()
                await self._refresh_until_resync(streaming)
        finally:
            streaming.cancel()

    async def _resync(self) -> None:
        """Read whatever the subscribers need, and report to the watches that this was done."""
        self._resync_now = False
        subscriptions = [*self.subscribers.watches]
        async with self._rates.resyncs:
            await (self._list() if subscriptions else self._read_waits())
        while subscriptions and self._failures.may_be_transient():
            await asyncio.sleep(self._timing.backoff(1))
            await self._refresh(self._failures.due())
        self.subscribers.sync(subscriptions)

    async def _refresh_until_resync(self, streaming: asyncio.Future[None]) -> None:
        """Read what is dirty, until it is time to list the run again."""
        loop = asyncio.get_running_loop()
        begun = polled = loop.time()
        while not self._resync_now:
            if self._changes not in (None, self.subscribers.changes):
                self._schedule.changed()
            self._changes = self.subscribers.changes
            # All of these change while it waits, as the stream breaks or is reopened.
            hidden = [] if self._reader.lister.updates_phases else self._unresolved()
            due = begun + self._schedule.resync(self._stream.live, self._rows)
            poll_due = polled + self._schedule.poll(len(hidden))
            now = loop.time()
            if now >= due:
                break
            if streaming.done():
                streaming.result()
            dirty = len(self._dirty)
            names = dict.fromkeys([*self._take_dirty(), *self._failures.due()])
            if hidden and now >= poll_due:
                names |= dict.fromkeys(hidden)
                polled = now
                self._schedule.polled()
            if names:
                await self._refresh([*names])
                await self._end_if_over()
            elif len(self._dirty) == dirty:  # all of it waits for writes
                times = (due, poll_due if hidden else None, self._failures.next_due())
                await self._wait(min(when for when in times if when is not None) - now)
        self._schedule.resynced(streaming=self._stream.live)

    async def _wait(self, seconds: float) -> None:
        """Wait until there may be something to do, but not longer."""
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _on_action(self, action: run_definition_pb2.Action) -> None:
        """Mark an action as dirty if the stream reports something new."""
        name, phase = action.id.name, phase_name(action.status.phase)
        known = event_metadata(action)
        self._cache.add_metadata(self._run, name, known)
        if not action.metadata.parent and phase in FINAL and not self._run_over:
            self._run_over = self._resync_now = True
        if known.is_event is False:
            self._tasks.add(name)
        if name in self._tasks:
            return
        if known.is_event and phase in FINAL:
            self._cache.mark_resolved(self._run, name)
        if self._dirty.get(name) not in FINAL and self._is_news(name, phase):
            self._dirty[name] = phase

    def _take_dirty(self) -> list[str]:
        """Return events to be read, and no more than takes a moment."""
        taken = []
        for name, phase in [*islice(self._dirty.items(), BATCH)]:
            if not self._reader.has_write_in_progress(
                self._run, name
            ):  # else it is read after the write
                del self._dirty[name]
                if self._is_news(name, phase):
                    taken.append(name)
        return taken

    def _is_news(self, name: str, phase: str) -> bool:
        """Return whether a subscriber needs an event to be read that was reported in a phase."""
        known = self._cache.watched(self._run).get(name)
        if name in self.subscribers.waits and (phase in FINAL or (known and not known.pending)):
            return True
        if known is None:
            return bool(self.subscribers.watches)
        return phase != known.phase and (known.pending or phase in FINAL)

    async def _refresh(
        self, names: Sequence[str], rows: Mapping[str, ListedAction] | None = None
    ) -> None:
        """Read events into the cache: from their rows, if those are given and show enough."""
        failures: dict[str, Exception] = {}
        for some in chunks(names, CONCURRENT_REFRESHES):
            if rows is None:
                events = await self._reader.events([(self._run, name) for name in some], failures)
            else:
                events = await self._reader.resolve_rows(
                    [rows[name] for name in some], details=self._wants_details, failures=failures
                )
            for name, event in zip(some, events, strict=True):
                if name not in failures:
                    self._failures.record_success(name)
                    if event is None and self._cache.is_not_event(self._run, name):
                        self._tasks.add(name)
                    elif event is None and name in self.subscribers.waits:  # else it may come yet
                        self._remove([name])
        for name, error in self._failures.record_failures(failures).items():
            self.subscribers.fail_waits(name, error)

    async def _list(self) -> None:
        """Read all events by listing the run."""
        former = [*self._cache.watched(self._run)]
        rows = await self._list_rows()
        self._complete(rows)
        news = [row for row in rows if self._is_news_in(row)]
        await self._await_names(news)
        by_name = {row.action_name: row for row in news}
        await self._refresh([*by_name], by_name)
        listed = {row.action_name for row in rows}
        self._remove(name for name in former if name not in listed)
        await self._refresh([name for name in self.subscribers.waits if name not in listed])

    async def _read_waits(self) -> None:
        """Read the events that somebody waits for; a page of rows costs as much as one."""
        await self._reader.lister.detect_phase_updates(self._run)
        names = [*self.subscribers.waits]
        if self._reader.lister.updates_phases and len(names) > 1 + self._rows / PAGE_SIZE:
            rows = await self._list_rows()
            pending = {row.action_name for row in rows if self._reader.proves_pending(row)}
            names = [name for name in names if name not in pending]
        await self._refresh(names)

    async def _list_rows(self) -> list[ListedAction]:
        rows = await self._reader.lister.list_all(self._run)
        self._rows = len(rows)
        return rows

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._cache.remove(self._run, name)
            target = Target(self._run, action_name=name)
            error = EventNotFound(f"there is no {target} any longer")
            self.subscribers.fail_waits(name, error)

    def _is_news_in(self, row: ListedAction) -> bool:
        if row.is_event is False or row.action_name in self._tasks:
            return False
        known = self._cache.watched(self._run).get(row.action_name)
        doubtful = known is not None and known.pending and not self._reader.proves_pending(row)
        return doubtful or self._is_news(row.action_name, row.phase)

    def _wants_details(self, row: ListedAction) -> bool:
        """Return whether the answer is not known yet, or the event is pending."""
        known = self._cache.watched(self._run).get(row.action_name)
        was_pending = known is not None and known.pending
        return not row.ended or was_pending or row.action_name in self.subscribers.waits

    async def _await_names(self, rows: Sequence[ListedAction]) -> None:
        """Wait for the stream to report names that many rows lack: details of each cost more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timing.names_timeout
        while self._stream.open and (left := until - loop.time()) > 0:
            missing = [row for row in rows if row.action_name not in self._stream.reported]
            if sum(not row.is_complete for row in missing) <= CONCURRENT_REFRESHES:
                break
            await self._wait(left)
        self._complete(rows)

    def _complete(self, rows: Sequence[ListedAction]) -> None:
        for row in rows:
            self._cache.fill_metadata(row)
            if row.action_name in self._tasks:
                row.is_event = False

    def _unresolved(self) -> list[str]:
        """Return the events that are pending, as far as any subscriber needs them."""
        watched = self._cache.watched(self._run).items()
        pending = dict.fromkeys(name for name, event in watched if event.pending)
        return [*(pending | dict.fromkeys(self.subscribers.waits))]

    def _is_over(self) -> bool:
        """Return whether a watch is synced, and all watched events are resolved."""
        events = self._cache.watched(self._run).values()
        return self.subscribers.synced and not any(event.pending for event in events)

    async def _end_if_over(self) -> None:
        """End the watches where the run is over, and all its events are resolved."""
        if not self._is_over():
            return
        phase = await self._service.run_phase(self._run)
        if phase is not None and phase_name(phase) in FINAL:
            # Only now is it certain that no event will be created any more.
            await self._resync()
            if self._is_over():
                self.subscribers.finish()
