"""Following a run, for all who wait for or watch its events.

One stream tells of changes, but it is lossy, it breaks, for some runs it never works, and before
2.0.43 it does not tell of answers. So it only tells where to look, and beside it all is looked at
again now and then: a change may be heard of late, and is never lost.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from itertools import islice

from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar._futures import retrieve_exception
from flyte_sidecar.backends.flyte.read.events import EventReader
from flyte_sidecar.backends.flyte.rpc.enums import FINAL, phase_name
from flyte_sidecar.backends.flyte.rpc.error_translation import (
    as_error,
    may_recover,
    retryable_error,
)
from flyte_sidecar.backends.flyte.rpc.listed_action import event_metadata
from flyte_sidecar.backends.flyte.rpc.run_service import RunService, pause
from flyte_sidecar.backends.flyte.rpc.transport import RpcError
from flyte_sidecar.backends.flyte.watch.refreshing import Refresher
from flyte_sidecar.backends.flyte.watch.schedule import LONGEST, Load, Schedule
from flyte_sidecar.backends.flyte.watch.stream import Stream
from flyte_sidecar.backends.flyte.watch.subscribers import Subscribers
from flyte_sidecar.backends.flyte.watch.troubles import PERSISTENT, Trouble, defect
from flyte_sidecar.events.model import SUCCEEDED, Run

AT_A_TIME = 1000
"""Events refreshed before it is checked again whether the stream broke."""


class RunInformer:
    """Follows one run until it is stopped.

    Parameters
    ----------
    run, service, reader, address
        The run, and how to ask for it where.
    load
        What the connection's informers ask for together.
    """

    def __init__(
        self, run: Run, service: RunService, reader: EventReader, address: str, load: Load
    ) -> None:
        self.subscribers = Subscribers()
        self._run = run
        self._service = service
        self._reader = reader
        self._address = address
        self._load = load
        self._schedule = Schedule(load)
        self._stream = Stream(run, service, load.streams, self._hear, self.wake)
        self._refresher = Refresher(
            run, reader, self.subscribers, self._stream, self._rest, address
        )
        self._stirred = asyncio.Event()
        self._look_now = False
        self._ended: set[str] = set()  # those of whose end any stream has told
        self._heard: dict[str, str] = {}  # those that are to be looked at, with their phases
        self._run_over = False
        self._changes: int | None = None  # as of the subscribers, once all was told first
        self._task = asyncio.ensure_future(self._follow())
        self._task.add_done_callback(lambda _: self._schedule.close())

    def look(self, action: str | None = None) -> None:
        """Look at all soon; or at an action, if it may have ended between a look and this call."""
        known = None if action is None else self.subscribers.picture.get(action)
        if action is None:
            self._look_now = True
        elif action in self._ended or (known is not None and not known.pending):
            self._heard[action] = SUCCEEDED
        self._schedule.changed()
        self.wake()

    def wake(self) -> None:
        """Check anew what is due: something was heard, or the intervals have changed."""
        self._stirred.set()

    def stop(self) -> asyncio.Future[None]:
        """Stop following; gives a future of the end."""
        self._task.cancel()
        return self._task

    async def _follow(self) -> None:
        """Go on, whatever fails; the more often that happens, the slower."""
        loop = asyncio.get_running_loop()
        failures = 0
        trouble = Trouble(0, 0.0)
        while True:
            begun = loop.time()
            try:
                await self._follow_until_it_fails(trouble)
            except RpcError as failure:
                self._lose(failure)
            except Exception as fault:
                trouble.failures += 1
                error = defect(fault, f"run {self._run.name!r}", trouble)
                if trouble.failures >= PERSISTENT:  # nobody must wait for nothing
                    self.subscribers.fail(error)
            failures = 1 if loop.time() - begun > LONGEST else failures + 1
            jitter = random.uniform(0.5, 1.0)  # noqa: S311  nothing is hidden by it
            await asyncio.sleep(max(pause(failures), self._load.pause * jitter))

    async def _follow_until_it_fails(self, trouble: Trouble) -> None:
        listening = asyncio.ensure_future(self._stream.listen())
        listening.add_done_callback(retrieve_exception)
        try:
            while True:
                await self._look_at_all()
                trouble.failures = 0
                self._stream.looked()
                await self._end_if_over()
                await self._until_due(listening)
        finally:
            listening.cancel()

    async def _look_at_all(self) -> None:
        self._look_now = False
        async with self._load.refreshes:
            await self._refresher.all()

    async def _until_due(self, listening: asyncio.Future[None]) -> None:
        """Look at what is heard of, until it is time to look at all again."""
        loop = asyncio.get_running_loop()
        begun = polled = loop.time()
        while not self._look_now:
            if self._changes not in (None, self.subscribers.changes):
                self._schedule.changed()
            self._changes = self.subscribers.changes
            # All of these change while it waits, as the stream breaks or is had again.
            hidden = [] if self._reader.lister.phases_follow else self.subscribers.unresolved
            due = begun + self._schedule.resync(self._stream.live, self._refresher.rows)
            poll_due = polled + self._schedule.poll(len(hidden))
            now = loop.time()
            if now >= due:
                break
            if listening.done():
                listening.result()
            heard = self._take_heard()
            news = [name for name, phase in heard.items() if self._refresher.is_news(name, phase)]
            news += [name for name in self._refresher.troubles.due() if name not in news]
            if hidden and now >= poll_due:
                news += [name for name in hidden if name not in news]
                polled = now
                self._schedule.polled()
            if news:
                await self._refresher.events(news)
                await self._end_if_over()
            if not news and not self._heard and not self._look_now:
                await self._rest(self._next(due, poll_due if hidden else None) - now)
        self._schedule.resynced(streaming=self._stream.live)

    def _take_heard(self) -> dict[str, str]:
        """Return what is heard of, and no more than takes a moment to refresh."""
        heard = dict(islice(self._heard.items(), AT_A_TIME))
        for name in heard:
            del self._heard[name]
        return heard

    def _next(self, due: float, poll_due: float | None) -> float:
        """Return when there is something to be done if nothing is heard before."""
        retry = self._refresher.troubles.next()
        return min(when for when in (due, poll_due, retry) if when is not None)

    async def _rest(self, seconds: float) -> None:
        """Wait until something is heard, but not longer."""
        self._stirred.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stirred.wait()

    def _hear(self, action: run_definition_pb2.Action) -> None:
        name, phase = action.id.name, phase_name(action.status.phase)
        known = event_metadata(action)
        self._reader.memory.learn(self._run, name, known)
        if not action.metadata.parent and phase in FINAL and not self._run_over:
            self._run_over = self._look_now = True
        if known.is_event is False:
            self._refresher.tasks.add(name)
        if name in self._refresher.tasks:
            return
        if phase in FINAL:
            self._ended.add(name)
        if self._heard.get(name) not in FINAL and self._refresher.is_news(name, phase):
            self._heard[name] = phase

    async def _end_if_over(self) -> None:
        """End the watches where the run is over, and all its events are resolved."""
        if not self.subscribers.over:
            return
        phase = await self._service.run_phase(self._run)
        if phase is not None and phase_name(phase) in FINAL:
            # Only now is it certain that no event will be created any more.
            await self._look_at_all()
            if self.subscribers.over:
                self.subscribers.finish()

    def _lose(self, failure: RpcError) -> None:
        if may_recover(failure):
            self.subscribers.disconnect(retryable_error(failure, self._address))
        else:
            self.subscribers.fail(as_error(failure, self._address))
