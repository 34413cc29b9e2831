"""The Flyte backend under test, on a fake RunService of one release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.flyte import Deployment, FlyteBackend
from flyte_sidecar.backends.flyte.endpoint import Transport
from flyte_sidecar.backends.flyte.session import FlyteSession
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.errors import EventExists
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import Event, NewEvent, Run, Target, TaskName
from tests.contract.harness import RUN
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

OLD_RELEASES = ("2.0.28", "2.0.30")
RELEASES = (
    "2.0.43",
    *(pytest.param(name, marks=pytest.mark.versions) for name in (*OLD_RELEASES, "hosted")),
)
"""The releases of Flyte that behave differently, for tests whose assertions hold on all of them.

`make test` runs the newest, `make test-versions` the others.
"""

CONNECT = "2.0.43 over Connect"
"""The newest release over Connect, for the same tests."""

FAST = Timing(
    max_clock_skew=0.0,  # the model and the backend share a clock
    retry_delay=0.01,
    max_retry_delay=0.02,
    poll_interval=0.05,
    inbox_interval=0.05,
    max_inbox_interval=0.1,
)
"""Short intervals, for tests."""


class CreatingBackend(FlyteBackend):
    """A backend that can create events, as a run does."""

    def __init__(self, server: Server, timing: Timing, **options: Any) -> None:
        options = {
            "endpoint": server.endpoint,
            "insecure": True,
            "project": RUN.project,
            "domain": RUN.domain,
            **options,
        }
        super().__init__(Deployment(**options), "flyte-sidecar-tests", timing)
        self._model = server.model
        self._created: dict[tuple[Run, str, str], str] = {}
        self.next_id: str | None = None

    async def create(self, new: NewEvent) -> Event:
        key = (new.run, new.parent, new.name)
        if key in self._created:
            existing = await self._found(new.run, self._created[key])
            raise EventExists("the name was used before", event=existing)
        self._created[key] = self._model.ask(
            new.run.name,
            new.name,
            new.expected_type,
            parent=new.parent,
            expires_in=new.expires_in,
            project=new.run.project or "",
            domain=new.run.domain or "",
            action=self.next_id,
        )
        self.next_id = None
        return await self._found(new.run, self._created[key])

    async def _found(self, run: Run, action: str) -> Event:
        found = await self.find(Target(run, action_name=action))
        assert found is not None
        return found


class FlyteHarness:
    """A deployment of one release, and a backend connected to it.

    Attributes
    ----------
    clock_skew
        By how much the backend's own clock is ahead of the deployment's.
    """

    can_create = False

    def __init__(self, release: str, timing: Timing = FAST) -> None:
        release, over_connect, _ = release.partition(CONNECT.removeprefix("2.0.43"))
        self._transport: Transport = "connect" if over_connect else "auto"
        self.clock_skew = timedelta()
        self._offset = timedelta()
        self._timing = replace(timing, now=lambda: self._now() + self.clock_skew)
        self.server = Server(
            Model(release, self._now), protocol="connect" if over_connect else "grpc"
        )

    def __enter__(self) -> FlyteHarness:
        self.server.start()
        self._backend = CreatingBackend(self.server, self._timing, transport=self._transport)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def backend(self) -> EventBackend:
        return self._backend

    async def connected(self) -> FlyteSession:
        """Return the backend's session."""
        return await self._backend._connect()

    def connect_through(self, endpoint: str, **options: Any) -> None:
        """Connect to the server through another endpoint, by other options, from now on."""
        self._backend = CreatingBackend(self.server, self._timing, endpoint=endpoint, **options)

    def choose_id(self, action: str) -> None:
        self._backend.next_id = action

    def start_task(self, run: Run, name: TaskName) -> str | None:
        environment = name.environment or ""
        return self.server.model.task(
            run.name,
            f"{environment}.{name.function}",
            environment=environment,
            short_name="chosen by the author",
            project=run.project or "",
            domain=run.domain or "",
        )

    def pass_time(self, seconds: float) -> None:
        self._offset += timedelta(seconds=seconds)

    async def close(self) -> None:
        await self._backend.close()

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._offset
