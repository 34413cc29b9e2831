"""One open connection to a deployment: its parts, put together. Loads grpc and protobuf."""

from __future__ import annotations

from functools import lru_cache

from sidecar.backends.flyte import grpc_transport
from sidecar.backends.flyte.client import RunService
from sidecar.backends.flyte.endpoint import Deployment
from sidecar.backends.flyte.followers import Followers
from sidecar.backends.flyte.inbox import Inbox
from sidecar.backends.flyte.listing import Lister
from sidecar.backends.flyte.memory import Memory
from sidecar.backends.flyte.pages import Pages
from sidecar.backends.flyte.reading import Reader
from sidecar.backends.flyte.runs import Runs
from sidecar.backends.flyte.snapshot import Snapshots
from sidecar.backends.flyte.streams import Streams
from sidecar.backends.flyte.transport import Transport
from sidecar.backends.flyte.writing import Writer
from sidecar.events.model import Run
from sidecar.events.watch import WatchFeed

RUNS = 1000
"""Runs whose pages in the console are remembered."""


class Connected:
    """What can be done with the events of a deployment, over one transport."""

    def __init__(self, deployment: Deployment, transport: Transport) -> None:
        @lru_cache(RUNS)
        def url(run: Run) -> str | None:
            if run.project is None or run.domain is None:
                return None
            return deployment.run_url(run.project, run.domain, run.name)

        self.service = RunService(transport)
        self.lister = Lister(self.service)
        memory = Memory()
        self.reader = Reader(self.service, self.lister, memory, url)
        self.writer = Writer(self.service, self.reader)
        self.runs = Runs(self.service, self.reader, deployment.its_org)
        streams = Streams()
        snapshots = Snapshots(self.service, memory, streams)
        self.pages = Pages(self.reader, snapshots, self.runs)
        self.followers = Followers(self.service, self.reader, deployment.route, streams)
        self._address = deployment.route

    async def watch(self, watch: WatchFeed) -> None:
        """Feed a watch of a run, or of all."""
        run = watch.watched.run
        if run is not None:
            await self.followers.watch(watch, run)
        else:
            await Inbox(watch, self.runs, self.followers, self._address).follow()

    async def close(self) -> None:
        """End the waits and watches, and the connection."""
        await self.followers.close()
        await self.service.close()


async def connect(deployment: Deployment, user_agent: str) -> Connected:
    """Make a connection, which is used from the first call on."""
    return Connected(deployment, await grpc_transport.connect(deployment, user_agent))
