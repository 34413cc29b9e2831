"""The pending events of a backend, kept current."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Literal, TypeAlias

from cachetools import LRUCache

from flyte_sidecar._futures import retrieve_exception, try_set_result, wait_all
from flyte_sidecar._internal_error import internal_error
from flyte_sidecar.errors import BackendUnavailable, SidecarError
from flyte_sidecar.events.coalescing import Changed, CoalescingQueue, Disconnected, Synced
from flyte_sidecar.events.intern_pool import EventKey, event_key
from flyte_sidecar.events.live.backend_state import BackendState, Phase
from flyte_sidecar.events.live.parent_tasks import AnyTask, ParentTasks, may_be
from flyte_sidecar.events.live.pending_index import PendingIndex
from flyte_sidecar.events.live.reconnecting import is_transient, retry_delay, wait_before_retry
from flyte_sidecar.events.model import BackendName, Event
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.watch_feed import WatchSelector

MAX_RESOLVED_NAMES = 1000
"""Names of recently resolved events that are kept."""

MAX_NAME_LENGTH = 1000
"""Characters of a name of a resolved event above which it is not kept."""

MAX_CONSECUTIVE = 64
"""Updates that are processed before other tasks run."""

MAX_DISTINGUISHED = 1000
"""Events of one name whose tasks are looked up; further ones count as of any task."""

CONNECT_TIMEOUT = 1.0
"""Seconds that a caller waits at most until the current events are known."""

EventChange: TypeAlias = Literal["waiting", "ended", "removed"]


def _ignore(*_: object) -> None: ...


class LiveEvents:
    """The pending and the recently resolved events of a backend's scope.

    The callbacks must not raise. They are called on the event loop, after the change.

    Parameters
    ----------
    on_change
        Called with the names of events that have changed, or whose task is known now.
    on_event
        Called with each event that has changed, and with what is known of it: it is waiting or has
        ended, or it is removed, because its state is unknown or there are too many events.
    on_waiting
        Called with each event that has started to wait since the first sync.
    on_state
        Called with each new state.
    includes
        Returns whether an event is of interest; others are ignored.
    delay
        Returns the delay before a reconnect after consecutive failures, in seconds.

    Attributes
    ----------
    state
        The state of the connection.
    """

    def __init__(
        self,
        service: EventService,
        *,
        on_change: Callable[[set[str]], None] = _ignore,
        on_event: Callable[[Event, EventChange], None] = _ignore,
        on_waiting: Callable[[Event], None] = _ignore,
        on_state: Callable[[BackendState], None] = _ignore,
        includes: Callable[[Event], bool] = lambda event: True,
        delay: Callable[[int], float] = retry_delay,
    ) -> None:
        self.state = BackendState("connecting")
        self._service = service
        self._on_change = on_change
        self._on_event = on_event
        self._on_waiting = on_waiting
        self._on_state = on_state
        self._includes = includes
        self._delay = delay
        self._index = PendingIndex()
        self._resolved: LRUCache[str, None] = LRUCache(MAX_RESOLVED_NAMES)
        self._tasks = ParentTasks(service.backend.parent_task, on_change)
        self._running: asyncio.Task[None] | None = None
        self._restart: asyncio.Future[None] | None = None
        self._failures = 0
        self._was_synced = self._is_synced = False
        self._down: dict[BackendName | None, SidecarError] = {}
        self._never_synced: set[BackendName | None] = set()
        self._connected = asyncio.Event()

    async def wait_connected(self) -> None:
        """Wait until the current events are known for the first time.

        Returns without them if the backend has failed, or has not responded to the first caller
        within `CONNECT_TIMEOUT`.
        """
        if not self._connected.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await self._connected.wait()
            self._connected.set()

    def pending(self) -> Sequence[Event]:
        """Return the pending events, by creation, run and action."""
        return self._index.all()

    def named(self, name: str, task: AnyTask | None = None) -> Sequence[Event]:
        """Return the pending events of a name, in the order of `pending`.

        With a task, the events of other tasks are left out where their task is known. If it is
        not, it is looked up, and `on_change` is called when it is.
        """
        found = self._index.named(name)
        if task is None:
            return found
        events, others = found[:MAX_DISTINGUISHED], found[MAX_DISTINGUISHED:]
        return (*(event for event in events if self.may_be_of(event, task)), *others)

    def may_be_of(self, event: Event, task: AnyTask | None) -> bool:
        """Return whether an event may be of a task, as for `named`."""
        return task is None or may_be(self._tasks.get(event), task)

    def get(self, key: EventKey) -> Event | None:
        """Return a pending event by its `event_key`."""
        return self._index.get(key)

    def names(self) -> Iterable[str]:
        """Return the names of the pending and the recently resolved events."""
        return {*self._index.names, *self._resolved}

    @property
    def omitted(self) -> int:
        """The number of pending events that are not kept in memory: there are too many."""
        return len(self._index.omitted)

    @property
    def disconnected(self) -> Collection[BackendName | None]:
        """Which of several backends are disconnected; None stands for all."""
        return self._down.keys()

    def start(self) -> None:
        """Start to follow the backend."""
        self._running = asyncio.ensure_future(self._run())

    def restart(self) -> None:
        """Connect and list the events again now, even after a permanent error."""
        if self._restart is not None:
            try_set_result(self._restart, None)

    async def close(self) -> None:
        """Stop following the backend; no callback is called afterwards."""
        if self._running is not None:
            self._running.cancel()
            await wait_all([self._running])
        await self._tasks.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._restart = loop.create_future()
            try:
                await self._follow(self._restart)
            except Exception as exception:
                error = _as_error(exception)
                self._down = {}
                phase: Phase = "disconnected" if is_transient(error) else "failed"
                self._set_state(BackendState(phase, error))
                self._failures += 1
                await self._wait_before_retry(error, self._restart)
            if self._restart.done():
                self._failures = 0
                self._set_state(BackendState("connecting"))

    async def _wait_before_retry(self, error: SidecarError, restart: asyncio.Future[None]) -> None:
        delay = self._delay(self._failures)
        waiting = asyncio.ensure_future(wait_before_retry(error, delay, self._service.backend))
        try:
            await asyncio.wait({waiting, restart}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            await wait_all([waiting])

    async def _follow(self, restart: asyncio.Future[None]) -> None:
        """Apply the updates of one watch, until a restart or until omitted events would fit."""
        updates = CoalescingQueue(WatchSelector(scope=self._service.scope(None, None, None)))
        feed = asyncio.ensure_future(self._service.watch(updates))
        feed.add_done_callback(retrieve_exception)
        unseen = self._index.relist()
        self._down = {}
        self._is_synced = False
        try:
            while not (restart.done() or self._index.has_room):
                changed: set[str] = set()
                for _ in range(MAX_CONSECUTIVE):
                    update = updates.take()
                    if isinstance(update, Changed):
                        self._apply(update, unseen, changed)
                    elif isinstance(update, Synced):
                        self._sync(update, unseen, changed)
                    elif isinstance(update, Disconnected):
                        self._disconnect(update)
                    else:
                        break
                if changed:
                    self._on_change(changed)
                if update is not None:
                    await asyncio.sleep(0)
                elif feed.done():
                    feed.result()
                    raise BackendUnavailable("the backend has ended the watch")
                elif not self._index.has_room:
                    waited = {feed, restart, updates.available()}
                    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            feed.cancel()
            await wait_all([feed])

    def _apply(self, update: Changed, unseen: set[EventKey], changed: set[str]) -> None:
        event = update.event
        if not self._includes(event):
            return
        key = event_key(event)
        is_new = (
            self._was_synced
            and key not in self._index
            and self._backend_of(event) not in self._never_synced
        )
        unseen.discard(key)
        changed.add(event.name)
        if event.pending and update.change != "removed":
            before, kept = self._index.get(key), self._index.put(key, event)
            if kept is None:
                self._on_event(event, "removed")
            elif kept != before:  # a new watch lists all events again
                self._on_event(kept, "waiting")
            if is_new:
                self._on_waiting(event)
            return
        self._index.remove(key)
        self._on_event(event, "removed" if event.pending else "ended")
        if not event.pending and len(event.name) <= MAX_NAME_LENGTH:
            self._resolved[event.name] = None

    def _sync(self, update: Synced, unseen: set[EventKey], changed: set[str]) -> None:
        """Remove the events that a previous watch reported, and this one does not.

        These are events of the one of several backends that is connected again, or else of all but
        those that are disconnected.
        """
        self._down.pop(update.backend, None)
        self._is_synced = self._is_synced or not update.again
        for key in [*unseen]:
            if self._is_listed(event := self._index.get(key), update):
                unseen.remove(key)
                self._index.remove(key)
                if event is not None:
                    changed.add(event.name)
                    self._on_event(event, "removed")
        self._never_synced.discard(update.backend)
        if self._is_synced:
            unknown = self._never_synced if self._was_synced else self._down
            self._never_synced = {*unknown} & self._down.keys()
            self._was_synced = True
            self._failures = 0
            self._tasks.retry()
        error = next(iter(self._down.values()), None)
        if error is not None:
            state = BackendState("disconnected", error)
        else:
            state = BackendState("ready" if self._is_synced else "connecting")
        self._set_state(state, connected=self._is_synced)

    def _is_listed(self, event: Event | None, update: Synced) -> bool:
        """Return whether an event was reported before `update` unless it has ended.

        None is an event that is not kept in memory, so that its backend is unknown.
        """
        if event is None:
            return self._is_synced and not self._down
        backend = self._backend_of(event)
        return backend not in self._down if update.backend is None else backend == update.backend

    def _disconnect(self, update: Disconnected) -> None:
        self._down[update.backend] = update.error
        # Before the first sync, the events of the other backends are not known yet.
        others_are_listed = update.backend is None or self._was_synced
        self._set_state(BackendState("disconnected", update.error), connected=others_are_listed)

    def _backend_of(self, event: Event) -> BackendName:
        return self._service.backend.name_of(event.run.scope)

    def _set_state(self, state: BackendState, *, connected: bool = True) -> None:
        if connected:
            self._connected.set()
        previous, self.state = self.state, state
        if (state.phase, str(state.error)) != (previous.phase, str(previous.error)):
            self._on_state(state)


def _as_error(exception: Exception) -> SidecarError:
    if isinstance(exception, SidecarError):
        return exception
    error = internal_error(exception)
    error.retryable = True
    return error
