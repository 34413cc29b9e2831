"""A Flyte deployment under test: a real server on loopback, over a model of one release."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flyte_sidecar.backends.flyte import Deployment, FlyteBackend
from flyte_sidecar.backends.flyte.read import events
from flyte_sidecar.backends.flyte.session import FlyteSession
from flyte_sidecar.backends.flyte.watch import inbox, schedule
from flyte_sidecar.errors import EventExists
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import Event, NewEvent, Run, Target
from tests.contract.harness import RUN
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

OLD_RELEASES = ("2.0.28", "2.0.30")
RELEASES = (
    *(pytest.param(release, marks=pytest.mark.old_release) for release in OLD_RELEASES),
    "2.0.43",
    "hosted",
)
"""The releases of Flyte that behave differently, for tests whose assertions hold on all of them.

`make test` leaves out the old ones, `make test-versions` runs them.
"""


class AskingBackend(FlyteBackend):
    """Lets a client of the tests make events, which on Flyte only a run does."""

    def __init__(self, server: Server, endpoint: str | None = None) -> None:
        assert RUN.project is not None
        assert RUN.domain is not None
        super().__init__(
            Deployment(
                endpoint=endpoint or server.endpoint,
                insecure=True,
                project=RUN.project,
                domain=RUN.domain,
            ),
            "flyte-sidecar-tests",
        )
        self._model = server.model
        self._used: dict[tuple[Run, str, str], str] = {}
        self.next_id: str | None = None

    async def create(self, new: NewEvent) -> Event:
        place = (new.run, new.parent, new.name)
        if place in self._used:
            used = await self._found(new.run, self._used[place])
            raise EventExists("the name was used before", event=used)
        self._used[place] = self._model.ask(
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
        return await self._found(new.run, self._used[place])

    async def _found(self, run: Run, action: str) -> Event:
        found = await self.find(Target(run, action_name=action))
        assert found is not None
        return found


class FlyteHarness:
    can_create = False

    def __init__(self, release: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._offset = timedelta()
        # One clock for both sides, so that nothing has to be allowed for its steps.
        monkeypatch.setattr(events, "now", self._now)
        monkeypatch.setattr(events, "EXPIRY_GRACE", timedelta())
        monkeypatch.setattr(schedule, "SHORTEST", 0.05)
        monkeypatch.setattr(inbox, "POLL", 0.1)
        monkeypatch.setattr(inbox, "POLL_SOON", 0.05)
        self.server = Server(Model(release, self._now))

    def __enter__(self) -> FlyteHarness:
        self.server.start()
        self._backend = AskingBackend(self.server)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    def backend(self) -> EventBackend:
        return self._backend

    async def connected(self) -> FlyteSession:
        """Give the backend's open connection."""
        return await self._backend._connect()

    def connect_through(self, endpoint: str) -> None:
        """Have the backend reach its server by another way."""
        self._backend = AskingBackend(self.server, endpoint)

    def choose_id(self, action: str) -> None:
        self._backend.next_id = action

    def pass_time(self, seconds: float) -> None:
        self._offset += timedelta(seconds=seconds)

    async def close(self) -> None:
        await self._backend.close()

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._offset
