"""Bringing what the subscribers of a run know up to date, by asking the backend."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from flyte_sidecar.backends.flyte.read.events import EventReader, chunks
from flyte_sidecar.backends.flyte.read.resolve_rows import resolve_rows
from flyte_sidecar.backends.flyte.rpc.enums import FINAL
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.backends.flyte.rpc.run_service import PAGE, pause
from flyte_sidecar.backends.flyte.watch.stream import Stream
from flyte_sidecar.backends.flyte.watch.subscribers import Subscribers
from flyte_sidecar.backends.flyte.watch.troubles import Troubles
from flyte_sidecar.errors import EventNotFound
from flyte_sidecar.events.model import Run, Target

SNAPSHOT = 2.0
"""Seconds that a stream is given to tell names and types, before they are asked for."""

TOGETHER = 64
"""Events that are refreshed together."""


class Refresher:
    """Refreshes events of one run; its methods raise `RpcError` for failures of the backend.

    Attributes
    ----------
    tasks
        The actions that are no events.
    rows
        How many rows the run had when it was listed last.
    troubles
        The events that could not be refreshed.
    """

    def __init__(
        self,
        run: Run,
        reader: EventReader,
        subscribers: Subscribers,
        stream: Stream,
        rest: Callable[[float], Awaitable[None]],
        address: str,
    ) -> None:
        self.tasks: set[str] = set()
        self.rows = 0
        self.troubles = Troubles(run, address)
        self._run = run
        self._reader = reader
        self._subscribers = subscribers
        self._stream = stream
        self._rest = rest

    async def all(self) -> None:
        """Refresh whatever the subscribers need."""
        await self._reader.lister.learn(self._run)
        if not self._subscribers.watches:
            await self._waits()
            return
        watches, picture = [*self._subscribers.watches], self._subscribers.picture
        await self._listed()
        while self.troubles.unsettled():
            await asyncio.sleep(pause(1))
            await self.events(self.troubles.due())
        if picture is self._subscribers.picture:
            self._subscribers.sync(watches)

    async def events(self, names: Sequence[str]) -> None:
        """Refresh some events by their details."""
        failures: dict[str, Exception] = {}
        for some in chunks(names, TOGETHER):
            asked = [(self._run, name) for name in some]
            for name, event in zip(some, await self._reader.events(asked, failures), strict=True):
                if name in failures:
                    continue
                self.troubles.passed(name)
                if event is not None:
                    self._subscribers.tell(event)
                    continue
                self._note_if_task(name)
                self._tell_gone([name] if name in self._subscribers.waits else [])
        self._judge(failures)

    def is_news(self, name: str, phase: str) -> bool:
        """Return whether a subscriber does not know the event in this phase yet."""
        known = self._subscribers.picture.get(name)
        if name in self._subscribers.waits and (phase in FINAL or (known and not known.pending)):
            return True
        if known is None:
            return bool(self._subscribers.watches)
        return phase != known.phase and (known.pending or phase in FINAL)

    async def _listed(self) -> None:
        """Refresh all events by listing the run."""
        former = {*self._subscribers.picture}
        rows = await self._reader.lister.every(self._run)
        self.rows = len(rows)
        self._complete(rows)
        news = [row for row in rows if self._is_news_in(row)]
        await self._hear_names(news)
        failures: dict[str, Exception] = {}
        for some in chunks(news, TOGETHER):
            events = await resolve_rows(
                self._reader, some, details=self._wants_details, failures=failures
            )
            for row, event in zip(some, events, strict=True):
                if row.action_name in failures:
                    continue
                self.troubles.passed(row.action_name)
                if event is not None:
                    self._subscribers.tell(event)
                else:
                    self._note_if_task(row.action_name)
        self._judge(failures)
        listed = {row.action_name for row in rows}
        self._tell_gone(former - listed)
        await self.events([name for name in self._subscribers.waits if name not in listed])

    async def _waits(self) -> None:
        """Refresh the events that somebody waits for; a page of rows costs as much as one."""
        names = [*self._subscribers.waits]
        if self._reader.lister.phases_follow and len(names) > 1 + self.rows / PAGE:
            rows = await self._reader.lister.every(self._run)
            self.rows = len(rows)
            pending = {row.action_name for row in rows if self._reader.shows_pending(row)}
            names = [name for name in names if name not in pending]
        await self.events(names)

    def _note_if_task(self, name: str) -> None:
        """Note whether an action that was read as no event is a task: it may not exist yet."""
        if self._reader.memory.is_task(self._run, name):
            self.tasks.add(name)

    def _judge(self, failures: dict[str, Exception]) -> None:
        for name, error in self.troubles.failed(failures).items():
            self._subscribers.fail_waits(name, error)

    def _tell_gone(self, names: Iterable[str]) -> None:
        for name in names:
            target = Target(self._run, action_name=name)
            self._subscribers.tell_gone(name, EventNotFound(f"there is no {target} any longer"))

    def _is_news_in(self, row: ListedAction) -> bool:
        if row.is_event is False or row.action_name in self.tasks:
            return False
        known = self._subscribers.picture.get(row.action_name)
        doubtful = known is not None and known.pending and not self._reader.shows_pending(row)
        return doubtful or self.is_news(row.action_name, row.phase)

    def _wants_details(self, row: ListedAction) -> bool:
        """Return whether the answer is not known yet, or the event is pending."""
        known = self._subscribers.picture.get(row.action_name)
        was_pending = known is not None and known.pending
        return not row.ended or was_pending or row.action_name in self._subscribers.waits

    async def _hear_names(self, rows: Sequence[ListedAction]) -> None:
        """Wait for the stream to report names that many rows lack: details of each cost more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SNAPSHOT
        while self._stream.open and (left := until - loop.time()) > 0:
            untold = [row for row in rows if row.action_name not in self._stream.seen]
            if sum(not row.is_complete for row in untold) <= TOGETHER:
                break
            await self._rest(left)
        self._complete(rows)

    def _complete(self, rows: Sequence[ListedAction]) -> None:
        for row in rows:
            self._reader.memory.complete(row)
            if row.action_name in self.tasks:
                row.is_event = False
