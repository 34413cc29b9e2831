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
from sidecar.backends.flyte.failures import as_error, is_passing
from sidecar.backends.flyte.reading import Reader, chunks
from sidecar.backends.flyte.standing import events_of
from sidecar.backends.flyte.stream import Stream, Streams
from sidecar.backends.flyte.transport import CallFailed
from sidecar.backends.flyte.words import FINAL, phase_name
from sidecar.errors import EventNotFound
from sidecar.events.model import SUCCEEDED, Run, Target

LOOK_AGAIN = 20.0
"""Seconds between two looks at all, where a stream tells of changes."""

LOOK = 1.0
"""Seconds between two looks at what no stream tells of."""

LOOKS_A_SECOND = 50
"""Events of one run that are then looked at in a second at most."""

SNAPSHOT = 2.0
"""Seconds that a stream is given to tell names and types, before they are asked for."""

AT_ONCE = 64
"""Events that are looked at together."""

MANY = 200
"""Waits in one run from which on its listing is cheaper than the details of each."""

PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "ABORTED", "CANCELLED")
"""Failures after which a run is followed on."""


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
        self._stirred = asyncio.Event()
        self._look_now = False
        self._stream = Stream(run, service, streams, self._hear, self._stirred.set)
        self._ended: set[str] = set()  # the actions of whose end any stream has told
        self._heard: dict[str, str] = {}  # those that are to be looked at, with their phases
        self._run_over = False
        self._task = asyncio.ensure_future(self._follow())

    def look(self, action: str | None = None) -> None:
        """Look at all soon; or at an action, if it may have ended between a look and this call."""
        if action is None:
            self._look_now = True
        elif action in self._ended:
            self._heard[action] = SUCCEEDED
        self._stirred.set()

    def stop(self) -> asyncio.Future[None]:
        """Stop following; gives a future of the end."""
        self._task.cancel()
        return self._task

    async def _follow(self) -> None:
        failures = 0
        while True:
            listening = asyncio.ensure_future(self._stream.listen())
            listening.add_done_callback(lambda done: done.cancelled() or done.exception())
            try:
                while True:
                    await self._look_at_all()
                    failures = 0
                    self.audience.sync()
                    await self._end_if_over()
                    await self._until_due(listening)
            except CallFailed as failure:
                self._lose(failure)
            except Exception as fault:  # whatever it is, nobody must wait for nothing
                self.audience.fail(fault)
            finally:
                listening.cancel()
            failures += 1
            await asyncio.sleep(pause(failures))

    async def _look_at_all(self) -> None:
        self._look_now = False
        await self._reader.lister.learn(self._run)
        if self.audience.watches:
            await self._look_at_run()
        else:
            await self._look_at_waits()

    async def _look_at_run(self) -> None:
        """Bring the picture up to date by listing the run."""
        former = {*self.audience.picture}
        rows = await self._reader.lister.every(self._run)
        self._complete(rows)
        news = [row for row in rows if row.is_event is not False and self._is_news(row)]
        await self._hear_names(news)
        for some in chunks(news, AT_ONCE):
            for event in await events_of(
                self._reader, some, details=self._wants_details, wants=_any, fresh=True
            ):
                if event is not None:
                    self.audience.tell(event)
        self._tell_gone(former - {row.action_name for row in rows})

    async def _look_at_waits(self) -> None:
        """See which of the events that somebody waits for have ended."""
        names = [*self.audience.waits]
        if len(names) > MANY and self._reader.lister.phases_follow:
            rows = await self._reader.lister.every(self._run)
            ended = {row.action_name for row in rows if row.ended}
            names = [name for name in names if name in ended]
        await self._look_at(names)

    async def _look_at(self, names: Sequence[str]) -> None:
        for some in chunks(names, AT_ONCE):
            events = await self._reader.events([(self._run, name) for name in some])
            for name, event in zip(some, events, strict=True):
                if event is not None:
                    self.audience.tell(event)
                elif name in self.audience.waits:
                    self._tell_gone([name])

    def _tell_gone(self, names: Iterable[str]) -> None:
        for name in names:
            target = Target(self._run, action_name=name)
            self.audience.tell_gone(name, EventNotFound(f"there is no {target} any longer"))

    async def _until_due(self, listening: asyncio.Future[None]) -> None:
        """Look at what is heard of, until it is time to look at all again."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._interval()
        while not self._look_now and (left := due - loop.time()) > 0:
            heard, self._heard = self._heard, {}
            news = [name for name, phase in heard.items() if self._is_new(name, phase)]
            if news:
                await self._look_at(news)
                await self._end_if_over()
            if listening.done():
                listening.result()
            if not self._heard and not self._look_now:
                await self._stir(left)

    async def _stir(self, seconds: float) -> None:
        """Wait until something is heard, but not longer."""
        self._stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()

    def _hear(self, action: run_definition_pb2.Action) -> None:
        name, phase = action.id.name, phase_name(action.status.phase)
        known = facts(action)
        self._reader.memory.learn(self._run, name, known)
        if not action.metadata.parent and phase in FINAL and not self._run_over:
            self._run_over = self._look_now = True
        if known.is_event is False:
            return
        if phase in FINAL:
            self._ended.add(name)
        heeded = self.audience.watches or name in self.audience.waits
        if heeded and self._heard.get(name) not in FINAL:
            self._heard[name] = phase

    async def _hear_names(self, rows: Sequence[Row]) -> None:
        """Give the stream some time to tell what many rows do not: details of each cost more."""
        loop = asyncio.get_running_loop()
        until = loop.time() + SNAPSHOT
        while self._stream.open and (left := until - loop.time()) > 0:
            untold = [row for row in rows if row.action_name not in self._stream.seen]
            if sum(not is_known(row) for row in untold) <= AT_ONCE:
                break
            await self._stir(left)
        self._complete(rows)

    def _complete(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._reader.memory.complete(row)

    def _is_news(self, row: Row) -> bool:
        """Tell whether a row says more than the picture, or may hide more."""
        known = self.audience.picture.get(row.action_name)
        if known is not None and known.pending and not self._reader.lister.phases_follow:
            return True
        return self._is_new(row.action_name, row.phase)

    def _is_new(self, name: str, phase: str) -> bool:
        """Tell whether an event was not yet told to be in a phase."""
        known = self.audience.picture.get(name)
        if known is None:
            return bool(self.audience.watches) or phase in FINAL
        return phase != known.phase and (known.pending or phase in FINAL)

    def _wants_details(self, row: Row) -> bool:
        """Tell whether an answer is news, or a question stands."""
        known = self.audience.picture.get(row.action_name)
        was_pending = known is not None and known.pending
        return not row.ended or was_pending or row.action_name in self.audience.waits

    def _interval(self) -> float:
        """Give the seconds until all is to be looked at again."""
        if self._stream.open and self._reader.lister.phases_follow:
            interval = LOOK_AGAIN
        else:
            interval = max(LOOK, self.audience.unresolved / LOOKS_A_SECOND)
        return interval * random.uniform(0.9, 1.1)  # noqa: S311  nothing is hidden by it

    async def _end_if_over(self) -> None:
        """End the watches where the run is over, and all its events are resolved."""
        if self.audience.watches and not any(
            event.pending for event in self.audience.picture.values()
        ):
            phase = await self._service.run_phase(self._run)
            if phase is not None and phase_name(phase) in FINAL:
                self.audience.finish()

    def _lose(self, failure: CallFailed) -> None:
        error = as_error(failure, self._address)
        distrusted = failure.status == "UNAVAILABLE" and not is_passing(failure)
        if failure.status not in PASSING or distrusted:
            self.audience.fail(error)
        else:
            error.retryable = True
            self.audience.lose(error)


def _any(_: str) -> bool:
    return True
