"""Following a run, for all who wait for or watch its events.

One stream tells of changes, but it is lossy, it breaks, for some runs it never works, and before
2.0.43 it does not tell of answers. So it only tells where to look, and beside it all is looked at
again now and then: a change may be heard of late, and is never lost.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from contextlib import suppress

from flyteidl2.workflow import run_definition_pb2

from sidecar.backends.flyte.audience import Audience
from sidecar.backends.flyte.client import RunService, pause
from sidecar.backends.flyte.conversion import Row, facts, is_known
from sidecar.backends.flyte.failures import as_error, loss, may_pass
from sidecar.backends.flyte.reading import Reader, chunks
from sidecar.backends.flyte.standing import events_of
from sidecar.backends.flyte.stream import Stream
from sidecar.backends.flyte.streams import Streams
from sidecar.backends.flyte.transport import CallFailed
from sidecar.backends.flyte.words import FINAL, phase_name
from sidecar.errors import EventNotFound
from sidecar.events.model import SUCCEEDED, Run, Target

LOOK_AGAIN = 20.0
"""Seconds between two looks at all, where a stream tells of changes."""

LOOK = 1.0
"""Seconds between two looks at what no stream tells of."""

LOOKS_A_SECOND = 50
"""Events that are then looked at in a second, and runs that are, at most."""

ROWS_A_SECOND = 1000
"""Rows of a run that are listed in a second at most, where it is listed time and again."""

SNAPSHOT = 2.0
"""Seconds that a stream is given to tell names and types, before they are asked for."""

TOGETHER = 64
"""Events that are looked at together."""

MANY = 200
"""Waits in one run from which on its listing is cheaper than the details of each."""


class Follower:
    """Follows one run until it is stopped.

    Parameters
    ----------
    run, service, reader, address
        The run, and how to ask for it where.
    streams
        Whether it may have one; without it looks more often.
    """

    def __init__(
        self, run: Run, service: RunService, reader: Reader, address: str, streams: Streams
    ) -> None:
        self.audience = Audience()
        self._run = run
        self._service = service
        self._reader = reader
        self._address = address
        self._streams = streams
        self._stream = Stream(run, service, streams, self._hear, self._stir)
        self._stirred = asyncio.Event()
        self._look_now = False
        self._rows = 0  # when it was listed last
        self._tasks: set[str] = set()  # the actions that are no events
        self._ended: set[str] = set()  # those of whose end any stream has told
        self._heard: dict[str, str] = {}  # those that are to be looked at, with their phases
        self._run_over = False
        self._task = asyncio.ensure_future(self._follow())

    def look(self, action: str | None = None) -> None:
        """Look at all soon; or at an action, if it may have ended between a look and this call."""
        known = None if action is None else self.audience.picture.get(action)
        if action is None:
            self._look_now = True
        elif action in self._ended or (known is not None and not known.pending):
            self._heard[action] = SUCCEEDED
        self._stir()

    def stop(self) -> asyncio.Future[None]:
        """Stop following; gives a future of the end."""
        self._task.cancel()
        return self._task

    async def _follow(self) -> None:
        """Go on, whatever fails; the more often that happens, the slower."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            begun = loop.time()
            try:
                await self._follow_until_it_fails()
            except CallFailed as failure:
                self._lose(failure)
            except Exception as fault:  # whatever it is, nobody must wait for nothing
                self.audience.fail(fault)
            failures = 1 if loop.time() - begun > LOOK_AGAIN else failures + 1
            await asyncio.sleep(pause(failures))

    async def _follow_until_it_fails(self) -> None:
        listening = asyncio.ensure_future(self._stream.listen())
        listening.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            while True:
                await self._look_at_all()
                self._stream.looked()
                await self._end_if_over()
                await self._until_due(listening)
        finally:
            listening.cancel()

    async def _look_at_all(self) -> None:
        self._look_now = False
        await self._reader.lister.learn(self._run)
        if not self.audience.watches:
            await self._look_at_waits()
            return
        watches, picture = [*self.audience.watches], self.audience.picture
        await self._look_at_run()
        if picture is self.audience.picture:
            self.audience.sync(watches)

    async def _look_at_run(self) -> None:
        """Bring the picture up to date by listing the run."""
        former = {*self.audience.picture}
        rows = await self._reader.lister.every(self._run)
        self._rows = len(rows)
        self._complete(rows)
        news = [row for row in rows if self._is_news_in(row)]
        await self._hear_names(news)
        failures: list[CallFailed] = []
        for some in chunks(news, TOGETHER):
            events = await events_of(
                self._reader, some, details=self._wants_details, fresh=True, failures=failures
            )
            for row, event in zip(some, events, strict=True):
                if event is not None:
                    self.audience.tell(event)
                elif not failures:
                    self._tasks.add(row.action_name)
        if failures:
            raise failures[0]
        listed = {row.action_name for row in rows}
        self._tell_gone(former - listed)
        await self._look_at([name for name in self.audience.waits if name not in listed])

    async def _look_at_waits(self) -> None:
        """See which of the events that somebody waits for have ended."""
        names = [*self.audience.waits]
        if len(names) > MANY and self._reader.lister.phases_follow:
            rows = await self._reader.lister.every(self._run)
            pending = {row.action_name for row in rows if not row.ended}
            names = [name for name in names if name not in pending]
        await self._look_at(names)

    async def _look_at(self, names: Sequence[str]) -> None:
        failures: list[CallFailed] = []
        for some in chunks(names, TOGETHER):
            asked = [(self._run, name) for name in some]
            for name, event in zip(some, await self._reader.events(asked, failures), strict=True):
                if event is not None:
                    self.audience.tell(event)
                elif not failures:
                    self._tasks.add(name)
                    self._tell_gone([name] if name in self.audience.waits else [])
        if failures:
            raise failures[0]

    def _tell_gone(self, names: Iterable[str]) -> None:
        for name in names:
            target = Target(self._run, action_name=name)
            self.audience.tell_gone(name, EventNotFound(f"there is no {target} any longer"))

    async def _until_due(self, listening: asyncio.Future[None]) -> None:
        """Look at what is heard of, until it is time to look at all again."""
        loop = asyncio.get_running_loop()
        jitter = random.uniform(0.9, 1.1)  # noqa: S311  nothing is hidden by it
        begun = looked = loop.time()
        while not self._look_now:
            # Both change while it waits, as the stream breaks or is had again.
            due = begun + self._interval() * jitter
            unresolved_due = looked + self._interval_of_unresolved() * jitter
            now = loop.time()
            if now >= due:
                return
            heard, self._heard = self._heard, {}
            news = [name for name, phase in heard.items() if self._is_news(name, phase)]
            if now >= unresolved_due:
                news += [name for name in self.audience.unresolved if name not in heard]
                looked = now
            if news:
                await self._look_at(news)
                await self._end_if_over()
            if listening.done():
                listening.result()
            if not news and not self._heard and not self._look_now:
                await self._rest(min(due, unresolved_due) - now)

    async def _rest(self, seconds: float) -> None:
        """Wait until something is heard, but not longer."""
        self._stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()

    def _stir(self) -> None:
        self._stirred.set()

    def _interval(self) -> float:
        """Give the seconds until all is to be looked at again."""
        if self._stream.open:
            return LOOK_AGAIN
        unresolved = len(self.audience.waits) / LOOKS_A_SECOND
        others = self._streams.without / LOOKS_A_SECOND
        return max(LOOK, self._rows / ROWS_A_SECOND, unresolved, others)

    def _interval_of_unresolved(self) -> float:
        """Give the seconds until what is unresolved is to be looked at, if need be."""
        if self._reader.lister.phases_follow:
            return LOOK_AGAIN * 10  # a stream or a listing tells of it
        return max(LOOK, len(self.audience.unresolved) / LOOKS_A_SECOND)

    def _hear(self, action: run_definition_pb2.Action) -> None:
        name, phase = action.id.name, phase_name(action.status.phase)
        known = facts(action)
        self._reader.memory.learn(self._run, name, known)
        if not action.metadata.parent and phase in FINAL and not self._run_over:
            self._run_over = self._look_now = True
        if known.is_event is False:
            self._tasks.add(name)
        if name in self._tasks:
            return
        if phase in FINAL:
            self._ended.add(name)
        if self._heard.get(name) not in FINAL and self._is_news(name, phase):
            self._heard[name] = phase

    def _is_news(self, name: str, phase: str) -> bool:
        """Tell whether an event in a phase is worth a look: somebody has not heard of that."""
        known = self.audience.picture.get(name)
        if name in self.audience.waits and (phase in FINAL or (known and not known.pending)):
            return True
        if known is None:
            return bool(self.audience.watches)
        return phase != known.phase and (known.pending or phase in FINAL)

    def _is_news_in(self, row: Row) -> bool:
        if row.is_event is False or row.action_name in self._tasks:
            return False
        known = self.audience.picture.get(row.action_name)
        hidden = known is not None and known.pending and not self._reader.lister.phases_follow
        return hidden or self._is_news(row.action_name, row.phase)

    def _wants_details(self, row: Row) -> bool:
        """Tell whether an answer is news, or a question stands."""
        known = self.audience.picture.get(row.action_name)
        was_pending = known is not None and known.pending
        return not row.ended or was_pending or row.action_name in self.audience.waits

    async def _hear_names(self, rows: Sequence[Row]) -> None:
        """Give the stream some time to tell what many rows do not: details of each cost more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SNAPSHOT
        while self._stream.open and (left := until - loop.time()) > 0:
            untold = [row for row in rows if row.action_name not in self._stream.seen]
            if sum(not is_known(row) for row in untold) <= TOGETHER:
                break
            await self._rest(left)
        self._complete(rows)

    def _complete(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._reader.memory.complete(row)
            if row.action_name in self._tasks:
                row.is_event = False

    async def _end_if_over(self) -> None:
        """End the watches where the run is over, and all its events are resolved."""
        if self.audience.over:
            phase = await self._service.run_phase(self._run)
            if phase is not None and phase_name(phase) in FINAL and self.audience.over:
                self.audience.finish()

    def _lose(self, failure: CallFailed) -> None:
        if may_pass(failure):
            self.audience.lose(loss(failure, self._address))
        else:
            self.audience.fail(as_error(failure, self._address))
