"""Waits and watches of one connection: an informer for each run that they are about."""

from __future__ import annotations

from flyte_sidecar._futures import prefer_result, wait_all
from flyte_sidecar.backends.flyte.read.events import EventReader
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter
from flyte_sidecar.backends.flyte.watch.informer import RunInformer
from flyte_sidecar.backends.flyte.watch.schedule import Load
from flyte_sidecar.errors import ShuttingDown
from flyte_sidecar.events.model import Event, Run
from flyte_sidecar.events.watch_feed import Feed


class Informers:
    """The runs that are followed.

    Parameters
    ----------
    service, reader, address, streams
        What informers ask where; the reader's memory tells of every event seen resolved.
    """

    def __init__(
        self, service: RunService, reader: EventReader, address: str, streams: StreamLimiter
    ) -> None:
        self._service = service
        self._reader = reader
        self._address = address
        self._load = Load(streams)
        self._informers: dict[Run, RunInformer] = {}
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
        informer = self._following(event.run)
        waiting = informer.subscribers.add_wait(event.action_name)
        informer.look(event.action_name)
        try:
            return await prefer_result(waiting)
        finally:
            informer.subscribers.drop_wait(event.action_name, waiting)
            self._leave(event.run, informer)

    async def watch(self, watch: Feed, run: Run) -> None:
        """Feed a watch with a run's events until nothing can change any more; raises as above."""
        informer = self._following(run)
        done = informer.subscribers.add_watch(watch)
        informer.look()
        try:
            await done
        finally:
            informer.subscribers.drop_watch(watch)
            self._leave(run, informer)

    def look(self, run: Run) -> None:
        """Have a run that is followed looked at soon."""
        informer = self._informers.get(run)
        if informer is not None:
            informer.look()

    async def close(self) -> None:
        """End every wait and watch."""
        self._closed = True
        informers = [*self._informers.values()]
        self._informers.clear()
        for informer in informers:
            informer.subscribers.fail(_closed())
        await wait_all([informer.stop() for informer in informers])

    def _suspect_streams(self) -> None:
        """Have every run listed again soon: open streams may have missed changes."""
        self._load.suspect()
        for informer in self._informers.values():
            informer.wake()

    def _following(self, run: Run) -> RunInformer:
        if self._closed:
            raise _closed()
        if run not in self._informers:
            self._informers[run] = RunInformer(
                run, self._service, self._reader, self._address, self._load
            )
        return self._informers[run]

    def _leave(self, run: Run, informer: RunInformer) -> None:
        if not informer.subscribers and self._informers.get(run) is informer:
            del self._informers[run]
            informer.stop()

    def _tell(self, event: Event) -> None:
        informer = self._informers.get(event.run)
        if informer is not None:
            informer.subscribers.tell(event)


def _closed() -> ShuttingDown:
    return ShuttingDown("the connection is being closed")
