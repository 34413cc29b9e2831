"""Waits and watches of one connection: a follower for each run that they are about."""

from __future__ import annotations

import asyncio

from flyte_sidecar.backends.flyte.read.events import Reader
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.rpc.stream_limiter import Streams
from flyte_sidecar.backends.flyte.watch.informer import Follower
from flyte_sidecar.backends.flyte.watch.schedule import Load
from flyte_sidecar.errors import ShuttingDown
from flyte_sidecar.events.model import Event, Run
from flyte_sidecar.events.watch import Feed


class Followers:
    """The runs that are followed.

    Parameters
    ----------
    service, reader, address, streams
        What followers ask where; the reader's memory tells of every event seen resolved.
    """

    def __init__(self, service: RunService, reader: Reader, address: str, streams: Streams) -> None:
        self._service = service
        self._reader = reader
        self._address = address
        self._load = Load(streams)
        self._followers: dict[Run, Follower] = {}
        self._closed = False
        reader.memory.on_resolved = self._tell
        service.on_lost_database = self._suspect_streams

    async def resolved(self, event: Event) -> Event:
        """Wait until the event is no longer pending, and give it as it then stands.

        Raises
        ------
        SidecarError
            If it can no longer be followed.
        """
        follower = self._following(event.run)
        waiting = follower.audience.add_wait(event.action_name)
        follower.look(event.action_name)
        try:
            return await waiting
        except asyncio.CancelledError:
            # An end that arrived together with the cancellation is still the answer.
            if waiting.done() and not waiting.cancelled():
                return waiting.result()
            raise
        finally:
            follower.audience.drop_wait(event.action_name, waiting)
            self._leave(event.run, follower)
            if waiting.done() and not waiting.cancelled():
                waiting.exception()  # seen: whoever waited may have gone in the same moment

    async def watch(self, watch: Feed, run: Run) -> None:
        """Feed a watch with a run's events until nothing can change any more; raises as above."""
        follower = self._following(run)
        done = follower.audience.add_watch(watch)
        follower.look()
        try:
            await done
        finally:
            follower.audience.drop_watch(watch)
            self._leave(run, follower)
            if done.done() and not done.cancelled():
                done.exception()  # seen: the watch may have ended in the same moment

    def look(self, run: Run) -> None:
        """Have a run that is followed looked at soon."""
        follower = self._followers.get(run)
        if follower is not None:
            follower.look()

    async def close(self) -> None:
        """End every wait and watch."""
        self._closed = True
        followers = [*self._followers.values()]
        self._followers.clear()
        for follower in followers:
            follower.audience.fail(_closed())
        ends = {follower.stop() for follower in followers}
        if ends:
            await asyncio.wait(ends)

    def _suspect_streams(self) -> None:
        """Have every run listed again soon: open streams may have missed changes."""
        self._load.suspect()
        for follower in self._followers.values():
            follower.wake()

    def _following(self, run: Run) -> Follower:
        if self._closed:
            raise _closed()
        if run not in self._followers:
            self._followers[run] = Follower(
                run, self._service, self._reader, self._address, self._load
            )
        return self._followers[run]

    def _leave(self, run: Run, follower: Follower) -> None:
        if not follower.audience and self._followers.get(run) is follower:
            del self._followers[run]
            follower.stop()

    def _tell(self, event: Event) -> None:
        follower = self._followers.get(event.run)
        if follower is not None:
            follower.audience.tell(event)


def _closed() -> ShuttingDown:
    return ShuttingDown("the connection is being closed")
