"""The embedded store as an EventBackend."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from flyte_sidecar._futures import MaybeAwaitable, prefer_result, retrieve_exception, wait_all
from flyte_sidecar.backends.local import event_owners, listings, mutations, open_file
from flyte_sidecar.backends.local.change_feed import ChangeFeed
from flyte_sidecar.backends.local.damaged_events import DamagedEvent
from flyte_sidecar.backends.local.error_translation import (
    SQLITE_ERRORS,
    is_busy,
    translate_errors,
    unavailable,
)
from flyte_sidecar.backends.local.lease_renewal import LeaseRenewal
from flyte_sidecar.backends.local.reader import StoreReader, UnrecordedEnd
from flyte_sidecar.backends.local.writer import Mutation, StoreWriter
from flyte_sidecar.errors import EventNotFound, ShuttingDown, SidecarError, StoreUnavailable
from flyte_sidecar.events.model import (
    BackendName,
    Event,
    EventPage,
    NewEvent,
    Payload,
    PendingQuery,
    Query,
    Run,
    RunPage,
    RunsQuery,
    Scope,
    Target,
    TaskName,
)

if TYPE_CHECKING:
    from flyte_sidecar.events.watch_feed import WatchFeed

A = TypeVar("A")
T = TypeVar("T")


class LocalBackend:
    """Stores events in one SQLite file, which it opens when it is first needed.

    Parameters
    ----------
    path
        The store's file. If it does not exist it is created, private to the user.
    """

    kind = "local"
    knows_expiry = True
    endpoint: str | None = None
    org: str | None = None
    project: str | None = "local"
    domain: str | None = "local"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self._writer: StoreWriter | None = None
        self._opening: asyncio.Future[StoreReader] | None = None
        self._reader: StoreReader | None = None
        self._changes: ChangeFeed | None = None
        self._renewal = LeaseRenewal(lambda: self._change(event_owners.renew))

    def scope(self, org: str | None, project: str | None, domain: str | None) -> Scope:
        return Scope(org or self.org, project or self.project, domain or self.domain)

    def name_of(self, scope: Scope) -> BackendName:
        return self.kind

    def order_key(self, run: Run) -> Run:
        return run

    def has_run(self, run: Run) -> MaybeAwaitable[bool]:
        """Return whether an event of a run was ever created."""
        return self._read(StoreReader.has_run, run)

    def find(self, target: Target) -> MaybeAwaitable[Event | None]:
        return self._read(StoreReader.find, target)

    def choices(self, target: Target) -> MaybeAwaitable[Sequence[Event]]:
        return self._read(StoreReader.choices, target)

    def page(self, query: Query) -> MaybeAwaitable[EventPage]:
        return self._read(listings.page, query)

    def pending(self, query: PendingQuery) -> MaybeAwaitable[EventPage]:
        return self._read(listings.pending, query)

    def runs(self, query: RunsQuery) -> MaybeAwaitable[RunPage]:
        return self._read(listings.runs, query)

    def count_pending(self) -> MaybeAwaitable[dict[Scope, int]]:
        """Return the number of pending events of each scope that has any."""
        return self._read(listings.count_pending, None)

    async def create(self, new: NewEvent) -> Event:
        return await self._change(mutations.create(new))

    async def create_owned(self, new: NewEvent, action_name: str) -> Event:
        """Create a pending event that ends with this process: it is aborted once that is gone.

        The events of a parent may share a name.

        Parameters
        ----------
        action_name
            The event's id. If the run has an event of that id, a suffix makes it unique.
        """
        try:
            return await self._change(mutations.create_owned(new, action_name))
        finally:
            self._renewal.start()  # even if the caller is cancelled: the event may exist

    async def time_out(self, event: Event) -> Event:
        """End an event as timed out and return its new state; an earlier end is kept."""
        return await self._change(mutations.time_out(event))

    async def signal(self, event: Event, payload: Payload) -> Event:
        return await self._change(mutations.signal(event, payload))

    async def abort(self, event: Event, reason: str | None) -> Event:
        return await self._change(mutations.abort(event, reason))

    async def resolved(self, event: Event) -> Event:
        waiting = await self._read_with_retries(self._start_wait, event)
        try:
            found = await self._read_with_retries(StoreReader.find, event.target)
            if found is None:
                raise EventNotFound(f"there is no {event.target}")
            if not found.pending:
                return found
            del found  # which may be large
            return await prefer_result(waiting)
        finally:
            waiting.cancel()

    async def watch(self, watch: WatchFeed) -> None:
        changing = await self._read_with_retries(self._start_watch, watch)
        try:
            offset: int | None = 0
            while offset is not None:
                # These states are never older than those that a change has put meanwhile.
                offset = await self._read_with_retries(_put_current, (watch, offset))
                await watch.room()
                if changing.done():  # the store cannot be used any more
                    changing.result()
            watch.sync()
            await changing
        finally:
            changing.cancel()

    async def parent_task(self, event: Event) -> TaskName | None:
        """Return None: the store does not record tasks."""
        return None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Return a context in which reads share a transaction, without a lock for each."""
        db = None if self._reader is None else self._reader.db
        if db is None:
            yield
            return
        # The store may be closed meanwhile, and a failed read may have ended the transaction.
        with suppress(sqlite3.Error):
            db.execute("BEGIN")
        try:
            yield
        finally:
            with suppress(sqlite3.Error):
                db.execute("COMMIT")

    async def healthy(self) -> bool:
        try:
            await self._read_with_retries(lambda reader, _: reader.check(), None)
        except SidecarError:
            return False
        return True

    async def settle(self) -> None:
        """Return at once: the store loses nothing."""

    async def close(self) -> None:
        if self._opening is not None:
            await wait_all([self._opening])
        self._renewal.stop()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            self._detach()
            await writer.close()

    def _read(self, read: Callable[[StoreReader, A], T], argument: A) -> MaybeAwaitable[T]:
        """Read immediately if the store is open, not locked, and every end is recorded."""
        if self._reader is not None:
            try:
                return read(self._reader, argument)
            except (UnrecordedEnd, *SQLITE_ERRORS):
                pass
            except StoreUnavailable as error:
                if not isinstance(error, DamagedEvent):
                    self._detach(error)
                raise
        return self._read_with_retries(read, argument)

    async def _read_with_retries(self, read: Callable[[StoreReader, A], T], argument: A) -> T:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + open_file.BUSY_TIMEOUT, 0.001
        while True:
            reader = await self._opened()
            try:
                return read(reader, argument)
            except UnrecordedEnd:
                if loop.time() > deadline:
                    detail = "the end of events cannot be recorded"
                    raise unavailable("io", self.path, "none", detail) from None
                await self._end_overdue()
            except StoreUnavailable as error:
                if not isinstance(error, DamagedEvent):
                    self._detach(error)
                raise
            except SQLITE_ERRORS as error:
                if not is_busy(error) or loop.time() > deadline:
                    with translate_errors(self.path):
                        reader.check()  # a newer release may have changed the tables
                        raise error
                await asyncio.sleep(pause)
                pause = min(2 * pause, 0.05)

    async def _change(self, mutation: Mutation[T]) -> T:
        await self._opened()
        assert self._writer is not None
        try:
            return await self._writer.commit(mutation)
        except StoreUnavailable as error:
            if error.data["reason"] == "replaced":
                self._detach(error)
            raise

    async def _opened(self) -> StoreReader:
        """Open the store unless it is open; after a failure the next request retries."""
        if self._reader is not None:
            return self._reader
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
            self._opening.add_done_callback(retrieve_exception)
        return await asyncio.shield(self._opening)

    async def _open(self) -> StoreReader:
        try:
            if self._writer is None:
                self._writer = StoreWriter(self.path, self._deliver_changes)
            reader = self._reader = StoreReader(await self._writer.open())
            self._changes = ChangeFeed(reader, self.path, self._try_to_end_overdue, self._detach)
            if self._may_own_pending(reader):
                self._renewal.start(delay=0)
            return reader
        except RuntimeError as error:  # no thread can be started
            raise unavailable("io", self.path, "none", str(error)) from error
        finally:
            self._opening = None

    def _may_own_pending(self, reader: StoreReader) -> bool:
        try:
            return event_owners.owns_pending(reader.db)
        except SQLITE_ERRORS:
            return True  # the first renewal finds out

    def _detach(self, error: SidecarError | None = None) -> None:
        """Stop using the open store; the next request opens the file that is then at the path."""
        if self._reader is not None and self._changes is not None:
            self._reader.close()
            self._changes.fail(error or ShuttingDown("the store is being closed"))
            self._reader = self._changes = None

    def _start_wait(self, _: StoreReader, event: Event) -> asyncio.Future[Event]:
        assert self._changes is not None
        return self._changes.wait(event)

    def _start_watch(self, _: StoreReader, watch: WatchFeed) -> asyncio.Future[None]:
        assert self._changes is not None
        return self._changes.watch(watch)

    def _deliver_changes(self) -> None:
        if self._changes is not None:
            self._changes.deliver()

    async def _try_to_end_overdue(self) -> None:
        with suppress(SidecarError):  # waits continue, and the next poll retries
            await self._end_overdue()

    async def _end_overdue(self) -> None:
        damaged = await self._change(mutations.end_overdue)
        if self._reader is not None and self._changes is not None:
            for row_id in damaged:
                self._changes.fail_waits(self._reader.damage.add(row_id))


def _put_current(reader: StoreReader, watch_and_offset: tuple[WatchFeed, int]) -> int | None:
    """Put the current events after an offset into a watch, and return the next offset if any.

    It is a function so that no events stay in memory while a watch waits for a slow client.
    """
    watch, after = watch_and_offset
    events, offset = listings.watched(reader, (watch.selector, after))
    for event in events:
        watch.put(event)
    return offset
