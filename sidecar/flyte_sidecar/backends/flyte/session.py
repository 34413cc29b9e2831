"""One open connection to a deployment: its parts, put together. Loads grpc and protobuf."""

from __future__ import annotations

from functools import lru_cache

from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.read.cache import EventCache
from flyte_sidecar.backends.flyte.read.events import EventReader
from flyte_sidecar.backends.flyte.read.listing import Lister
from flyte_sidecar.backends.flyte.read.pages import Pages
from flyte_sidecar.backends.flyte.read.runs import Runs
from flyte_sidecar.backends.flyte.read.snapshot import Snapshots
from flyte_sidecar.backends.flyte.rpc import grpc_transport
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter
from flyte_sidecar.backends.flyte.rpc.transport import Transport
from flyte_sidecar.backends.flyte.watch.inbox import Inbox
from flyte_sidecar.backends.flyte.watch.informers import Informers
from flyte_sidecar.backends.flyte.write import EventWriter
from flyte_sidecar.events.model import Run
from flyte_sidecar.events.watch_feed import WatchFeed

RUNS = 1000
"""Runs whose pages in the console are remembered."""


class FlyteSession:
    """What can be done with the events of a deployment, over one transport."""

    def __init__(self, deployment: Deployment, transport: Transport) -> None:
        @lru_cache(RUNS)
        def url(run: Run) -> str | None:
            if run.project is None or run.domain is None:
                return None
            return deployment.run_url(run.project, run.domain, run.name)

        self.service = RunService(transport)
        self.lister = Lister(self.service)
        memory = EventCache()
        self.reader = EventReader(self.service, self.lister, memory, url)
        self.writer = EventWriter(self.service, self.reader)
        self.runs = Runs(self.service, self.reader, deployment.default_org)
        streams = StreamLimiter()
        snapshots = Snapshots(self.service, memory, streams)
        self.pages = Pages(self.reader, snapshots, self.runs)
        self.informers = Informers(self.service, self.reader, deployment.route, streams)
        self._address = deployment.route

    async def watch(self, watch: WatchFeed) -> None:
        """Feed a watch of a run, or of all."""
        run = watch.selector.run
        if run is not None:
            await self.informers.watch(watch, run)
        else:
            await Inbox(watch, self.runs, self.informers, self._address).follow()

    async def close(self) -> None:
        """End the waits and watches, and the connection."""
        await self.informers.close()
        await self.service.close()


async def connect(deployment: Deployment, user_agent: str) -> FlyteSession:
    """Make a connection, which is used from the first call on."""
    return FlyteSession(deployment, await grpc_transport.connect(deployment, user_agent))
