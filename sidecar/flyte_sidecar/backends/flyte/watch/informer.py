"""Following a run: list, watch, resync.

The stream of changes is lossy, it breaks, for some runs it never works, and before 2.0.43 it does
not report answers. So it only marks actions as dirty, which are then read, and the run is listed
again at intervals: a change may be found late, but it is never lost. Only the cache notifies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar._futures import retrieve_exception
from flyte_sidecar.backends.flyte.read.events import EventReader, chunks
from flyte_sidecar.backends.flyte.rpc.enums import FINAL, phase_name
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
"""Dirty events that are refreshed before the stream is checked again."""

CONCURRENT_REFRESHES = 64
"""Events that are refreshed concurrently; so few missing names are read, not awaited."""


class RunInformer:
    """Keeps the cache up to date with one run until it is stopped."""

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
        self._dirty: dict[str, str] = {}  # the reported phase by action
        self._tasks: set[str] = set()  # actions that are not events
        self._rows = 0  # of the last listing
        self._resync_now = False
        self._run_ended = False
        self._internal_errors = 0  # since the last success
        self._task = asyncio.ensure_future(self._follow())
        self._task.add_done_callback(lambda _: self._schedule.close())

    def resync(self) -> None:
        """List the run soon."""
        self._resync_now = True
        self._schedule.changed()
        self.wake()

    def refresh(self, action: str) -> None:
        """Read an event soon if it may have been resolved since it was read."""
        run, cache = self._run, self._cache
        if cache.used_since_update(run, action) or cache.is_resolved(run, action):
            self._dirty[action] = SUCCEEDED
        self._schedule.changed()
        self.wake()

    def wake(self) -> None:
        """Check soon what is due: something is dirty, or the intervals have changed."""
        self._woken.set()

    def stop(self) -> asyncio.Future[None]:
        """Stop, and return a future that is done when the informer has stopped."""
        self._task.cancel()
        return self._task

    async def _follow(self) -> None:
        """Follow the run until cancelled; retry after every failure, with backoff."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                await self._follow_until_failure()
            except RpcError as failure:
                self.subscribers.report_failure(failure, self._address)
            except Exception as exception:
                self._internal_errors += 1
                error = internal_error(exception, f"run {self._run.name!r}", self._internal_errors)
                if self._internal_errors >= PERSISTENT_FAILURES:
                    self.subscribers.fail(error)
            failures = 1 if loop.time() - started > self._timing.resync_interval else failures + 1
            await asyncio.sleep(max(self._timing.backoff(failures), self._rates.retry_interval))

    async def _follow_until_failure(self) -> None:
        streaming = asyncio.ensure_future(self._stream.follow())
        streaming.add_done_callback(retrieve_exception)
        try:
            while True:
                await self._resync()
                self._internal_errors = 0
                self._stream.record_call_success()
                await self._end_if_finished()
                await self._refresh_until_resync(streaming)
        finally:
            streaming.cancel()

    async def _resync(self) -> None:
        """Read all events that subscribers need, then report that the watches are synced."""
        self._resync_now = False
        subscriptions = [*self.subscribers.watches]
        async with self._rates.resyncs:
            if subscriptions or await self._has_many_waits():
                await self._list()
            else:
                await self._refresh([*self.subscribers.waits])
        while subscriptions and self._failures.may_be_transient():
            await asyncio.sleep(self._timing.backoff(1))
            await self._refresh(self._failures.due())
        self.subscribers.sync(subscriptions)

    async def _refresh_until_resync(self, streaming: asyncio.Future[None]) -> None:
        """Read what is dirty or due, until the next resync is due."""
        loop = asyncio.get_running_loop()
        started = polled = loop.time()
        while not self._resync_now:
            if self.subscribers.changed:
                self.subscribers.changed = False
                self._schedule.changed()
            # These change while this waits, as the stream breaks or is reopened.
            unreported = [] if self._reader.lister.updates_phases else self._needed_pending()
            resync_due = started + self._schedule.resync(self._stream.live, self._rows)
            poll_due = polled + self._schedule.poll(len(unreported))
            now = loop.time()
            if now >= resync_due:
                break
            if streaming.done():
                streaming.result()
            names = [*self._take_dirty(), *self._failures.due()]
            if now >= poll_due:
                names += unreported
                polled = now
                self._schedule.polled()
            if names:
                await self._refresh([*dict.fromkeys(names)])
                await self._end_if_finished()
            else:
                await self._wait(min(resync_due, poll_due, self._failures.next_due()) - now)
        self._schedule.resynced(streaming=self._stream.live)

    async def _wait(self, seconds: float) -> None:
        """Wait until `wake` is called, with a timeout."""
        self._woken.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def _on_action(self, action: run_definition_pb2.Action) -> None:
        """Mark an action that the stream reports as dirty, unless it is not an event."""
        name, phase = action.id.name, phase_name(action.status.phase)
        metadata = event_metadata(action)
        self._cache.add_metadata(self._run, name, metadata)
        if not action.metadata.parent and phase in FINAL and not self._run_ended:
            self._run_ended = self._resync_now = True
        if metadata.is_event is False:
            self._tasks.add(name)
        elif metadata.is_event and phase in FINAL:
            self._cache.mark_resolved(self._run, name)
        if name not in self._tasks and self._dirty.get(name) not in FINAL:
            self._dirty[name] = phase

    def _take_dirty(self) -> list[str]:
        """Remove dirty events, and return up to `BATCH` of them that have to be read."""
        taken: list[str] = []
        for name, phase in [*self._dirty.items()]:
            if len(taken) == BATCH:
                break
            if not self._reader.has_write_in_progress(self._run, name):  # else read it afterwards
                del self._dirty[name]
                if self._needs_refresh(name, phase):
                    taken.append(name)
        return taken

    def _needs_refresh(self, name: str, phase: str, row: ListedAction | None = None) -> bool:
        """Return whether a subscriber needs an event that was reported in a phase, or in a row."""
        if name in self._tasks or (row is not None and row.is_event is False):
            return False
        cached = self._cache.watched(self._run).get(name)
        pending = name in self.subscribers.waits if cached is None else cached.pending
        if pending and row is not None and not self._reader.proves_pending(row):
            return True
        if name in self.subscribers.waits and (phase in FINAL or not pending):
            return True
        if cached is None:
            return bool(self.subscribers.watches)
        return phase != cached.phase and (cached.pending or phase in FINAL)

    async def _refresh(
        self, names: Sequence[str], rows: Mapping[str, ListedAction] | None = None
    ) -> None:
        """Read events into the cache; rows suffice for events that ended before being needed."""
        failures: dict[str, Exception] = {}
        waits, watched = self.subscribers.waits, self._cache.watched(self._run)
        for chunk in chunks(names, CONCURRENT_REFRESHES):
            if rows is None:
                events = await self._reader.events([(self._run, name) for name in chunk], failures)
            else:
                events = await self._reader.resolve_rows(
                    [rows[name] for name in chunk],
                    details=lambda row: (
                        not row.ended or row.action_name in waits or row.action_name in watched
                    ),
                    failures=failures,
                )
            for name, event in zip(chunk, events, strict=True):
                if name not in failures:
                    self._failures.record_success(name)
                    if event is None and self._cache.is_not_event(self._run, name):
                        self._tasks.add(name)
                    elif event is None and name in waits:
                        self._remove([name])
        for name, error in self._failures.record_failures(failures).items():
            self.subscribers.fail_waits(name, error)

    async def _list(self) -> None:
        """List the run, and read the events that have changed."""
        cached = [*self._cache.watched(self._run)]
        rows = await self._reader.lister.list_all(self._run)
        self._rows = len(rows)
        self._fill_metadata(rows)
        changed = [row for row in rows if self._needs_refresh(row.action_name, row.phase, row)]
        await self._await_names(changed)
        by_name = {row.action_name: row for row in changed}
        await self._refresh([*by_name], by_name)
        listed = {row.action_name for row in rows}
        self._remove(name for name in cached if name not in listed)
        await self._refresh([name for name in self.subscribers.waits if name not in listed])

    async def _has_many_waits(self) -> bool:
        """Return whether a listing takes fewer calls than reading the events of all waits."""
        await self._reader.lister.detect_phase_updates(self._run)
        many = len(self.subscribers.waits) > 1 + self._rows / PAGE_SIZE
        return many and bool(self._reader.lister.updates_phases)

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            self._cache.remove(self._run, name)
            target = Target(self._run, action_name=name)
            self.subscribers.fail_waits(name, EventNotFound(f"{target} no longer exists"))

    async def _await_names(self, rows: Sequence[ListedAction]) -> None:
        """Wait for the stream to report names that many rows lack: reading details costs more."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timing.names_timeout
        while self._stream.open and (left := deadline - loop.time()) > 0:
            missing = [row for row in rows if row.action_name not in self._stream.reported]
            if sum(not row.is_complete for row in missing) <= CONCURRENT_REFRESHES:
                break
            await self._wait(left)
        self._fill_metadata(rows)

    def _fill_metadata(self, rows: Sequence[ListedAction]) -> None:
        for row in rows:
            self._cache.fill_metadata(row)
            if row.action_name in self._tasks:
                row.is_event = False

    def _needed_pending(self) -> list[str]:
        """Return the pending events that a subscriber needs."""
        watched = self._cache.watched(self._run).items()
        pending = [name for name, event in watched if event.pending]
        return [*dict.fromkeys([*pending, *self.subscribers.waits])]

    def _all_resolved(self) -> bool:
        """Return whether a watch is synced, and all watched events are resolved."""
        events = self._cache.watched(self._run).values()
        return self.subscribers.synced and not any(event.pending for event in events)

    async def _end_if_finished(self) -> None:
        """End the watches if the run has ended, and all its events are resolved."""
        phase = await self._service.run_phase(self._run) if self._all_resolved() else None
        if phase is not None and phase_name(phase) in FINAL:
            # Only now is it certain that no event will be created any more.
            await self._resync()
            if self._all_resolved():
                self.subscribers.finish()
