"""One session with a deployment: connects its transport, readers, writer and informers.

Imports grpc and protobuf.
"""

from __future__ import annotations

from functools import lru_cache

from flyte_sidecar.backends.flyte.auth.authenticated_transport import AuthenticatedTransport
from flyte_sidecar.backends.flyte.auth.authenticator import make_authenticator
from flyte_sidecar.backends.flyte.auth.authorization import Authenticator
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginPrompt
from flyte_sidecar.backends.flyte.auth.login_store import LoginStore
from flyte_sidecar.backends.flyte.cache import EventCache
from flyte_sidecar.backends.flyte.endpoint import Deployment, action_url
from flyte_sidecar.backends.flyte.read.actions import ActionLister
from flyte_sidecar.backends.flyte.read.bulk_metadata import BulkMetadataReader
from flyte_sidecar.backends.flyte.read.events import EventReader
from flyte_sidecar.backends.flyte.read.pages import PageReader
from flyte_sidecar.backends.flyte.read.runs import RunLister
from flyte_sidecar.backends.flyte.read.task_names import TaskNameReader
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient
from flyte_sidecar.backends.flyte.rpc.open_transport import open_transport
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcTransport
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.backends.flyte.watch.inbox import Inboxes
from flyte_sidecar.backends.flyte.watch.informer_registry import Informers, closing
from flyte_sidecar.backends.flyte.watch.schedule import SharedRates
from flyte_sidecar.backends.flyte.write import EventWriter
from flyte_sidecar.events.model import Run
from flyte_sidecar.events.watch_feed import WatchFeed

MAX_CACHED_URLS = 1000
"""Maximum number of runs whose console URL is cached."""


class FlyteSession:
    """The readers, writer and informers of one deployment, which share a transport and a cache.

    Parameters
    ----------
    http
        What the transport and the authenticator use, closed after them.
    authenticator
        What authenticates the calls; None if nothing does.
    """

    def __init__(
        self,
        deployment: Deployment,
        transport: RpcTransport,
        http: HttpClient,
        authenticator: Authenticator | None,
        timing: Timing,
    ) -> None:
        @lru_cache(MAX_CACHED_URLS)
        def run_url(run: Run) -> str | None:
            if run.project is None or run.domain is None:
                return None
            return deployment.run_url(run.project, run.domain, run.name)

        def url(run: Run, action: str) -> str | None:
            page = run_url(run)
            return None if page is None else action_url(page, action)

        address = deployment.route
        self._http = http
        self._authenticator = authenticator
        self.service = RunService(transport, timing)
        self.lister = ActionLister(self.service)
        cache = EventCache(timing.row_freshness)
        self.reader = EventReader(self.service, self.lister, cache, url, timing)
        self.task_names = TaskNameReader(self.service)
        self.writer = EventWriter(self.service, self.reader)
        self.runs = RunLister(self.service, self.reader, deployment.default_org)
        streams = StreamLimiter(lambda: transport.max_streams)
        metadata = BulkMetadataReader(self.service, cache, streams, timing)
        self.pages = PageReader(self.reader, metadata, self.runs)
        self.informers = Informers(self.service, self.reader, address, SharedRates(streams, timing))
        self.inboxes = Inboxes(self.runs, self.informers, address, timing)

    async def login(self) -> None:
        """Obtain new headers for all calls; may ask a person to log in."""
        if self._authenticator is not None:
            await self._authenticator.login()

    async def settle(self) -> None:
        """Wait until no login is lost if the process ends."""
        if self._authenticator is not None:
            await self._authenticator.settle()

    async def watch(self, watch: WatchFeed) -> None:
        """Report events to a watch of a run, or of the pending events of all runs."""
        run = watch.selector.run
        if run is not None:
            await self.informers.watch(watch, run)
        else:
            await self.inboxes.watch(watch, watch.selector.scope)

    async def close(self) -> None:
        """End all waits and watches, then close the connection."""
        self.inboxes.close(closing())
        await self.informers.close()
        await self.service.close()
        await self._http.close()


async def connect(
    deployment: Deployment,
    user_agent: str,
    timing: Timing,
    prompt: LoginPrompt,
    store: LoginStore,
) -> FlyteSession:
    """Return a session whose connection is opened by its first call."""
    transport, http = await open_transport(deployment, user_agent)
    authenticator = make_authenticator(deployment, transport, http, store, prompt, timing)
    if authenticator is not None:
        transport = AuthenticatedTransport(transport, authenticator)
    return FlyteSession(deployment, transport, http, authenticator, timing)
