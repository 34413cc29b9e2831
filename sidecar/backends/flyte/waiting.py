"""Waiting for the end of events.

One follower an event, however many wait for it: a stream of its details, and beside it a look
now and then, since a stream may break, lose a change, or (before 2.0.43) never tell of an answer.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

from sidecar.backends.flyte.client import RunService, pause
from sidecar.backends.flyte.conversion import detailed_event
from sidecar.backends.flyte.reading import Reader
from sidecar.backends.flyte.transport import CallFailed
from sidecar.errors import EventNotFound, ShuttingDown
from sidecar.events.model import Event, Run, Target

LOOK = 1.0
"""Seconds between two looks at an event of whose end no stream tells."""

LOOK_BESIDE_STREAM = 20.0
"""Seconds between two looks at an event whose stream is to tell of its end."""

LOOKS_A_SECOND = 50
"""Looks that all waits together make at most."""

PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "ABORTED", "CANCELLED")
"""Failures that a wait survives."""

_Key = tuple[Run, str]


class Waits:
    """The waits of one connection.

    Parameters
    ----------
    service, reader
        What it asks; the reader's memory tells of every event that anyone sees resolved.
    """

    def __init__(self, service: RunService, reader: Reader) -> None:
        self._service = service
        self._reader = reader
        self._waiting: dict[_Key, set[asyncio.Future[Event]]] = {}
        self._followers: dict[_Key, asyncio.Task[None]] = {}
        self._streams = True
        reader.memory.on_resolved = self._tell

    async def resolved(self, event: Event) -> Event:
        """Wait until the event is no longer pending, and give it as it then stands.

        Raises
        ------
        CallFailed, EventNotFound
            If it can no longer be followed.
        """
        key = (event.run, event.action_name)
        waiting: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, set()).add(waiting)
        if key not in self._followers:
            self._followers[key] = asyncio.ensure_future(self._follow(key))
        try:
            return await waiting
        except asyncio.CancelledError:
            # An end that arrived together with the cancellation is still the answer.
            if waiting.done() and not waiting.cancelled():
                return waiting.result()
            raise
        finally:
            self._leave(key, waiting)

    async def close(self) -> None:
        """End every wait."""
        for key in [*self._waiting]:
            self._fail(key, ShuttingDown("the connection is being closed"))
        followers = [*self._followers.values()]
        self._followers.clear()
        for follower in followers:
            follower.cancel()
        if followers:
            await asyncio.wait(followers)

    async def _follow(self, key: _Key) -> None:
        """Look at the event, time and again, for as long as someone waits."""
        broken = asyncio.Event()
        streaming = asyncio.ensure_future(self._listen(key, broken))
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval(broken)):
                        await broken.wait()
                        await asyncio.sleep(LOOK)
                await self._look(key)
        except Exception as failure:  # whatever it is, nobody must wait for nothing
            del self._followers[key]
            self._fail(key, failure)
        finally:
            streaming.cancel()

    async def _look(self, key: _Key) -> None:
        try:
            await self._reader.lister.learn(key[0])
            event = await self._reader.event(*key, attempts=1)
        except CallFailed as failure:
            if failure.status not in PASSING:
                raise
            return
        if event is None:
            raise EventNotFound(f"there is no {Target(key[0], action_name=key[1])} any longer")

    async def _listen(self, key: _Key, broken: asyncio.Event) -> None:
        """Hear of the event's changes, over as many streams as it takes.

        Sets `broken` where it cannot, and looks alone must tell.
        """
        run, action = key
        failures = 0
        while self._streams:
            try:
                async with aclosing(self._service.watch_details(run, action)) as stream:
                    async for details in stream:
                        failures = 0
                        event = detailed_event(details, run, self._reader.url(run))
                        if event is not None:
                            await self._reader.told(run, event)
            except CallFailed as failure:
                if failure.status == "UNIMPLEMENTED":
                    self._streams = False
                elif failure.status not in PASSING:
                    break  # a look meets the same, and judges it
            failures += 1
            await asyncio.sleep(pause(failures))
        broken.set()

    def _interval(self, broken: asyncio.Event) -> float:
        streams_tell = self._reader.lister.phases_follow and not broken.is_set()
        least = LOOK_BESIDE_STREAM if streams_tell else LOOK
        return max(least, len(self._followers) / LOOKS_A_SECOND)

    def _tell(self, event: Event) -> None:
        for waiting in self._waiting.get((event.run, event.action_name), ()):
            if not waiting.done():
                waiting.set_result(event)

    def _fail(self, key: _Key, error: Exception) -> None:
        for waiting in self._waiting.get(key, ()):
            if not waiting.done():
                waiting.set_exception(error)

    def _leave(self, key: _Key, waiting: asyncio.Future[Event]) -> None:
        its = self._waiting[key]
        its.discard(waiting)
        if not its:
            del self._waiting[key]
            follower = self._followers.pop(key, None)
            if follower is not None:
                follower.cancel()
        if waiting.done() and not waiting.cancelled():
            waiting.exception()  # seen: whoever waited may have gone in the same moment
