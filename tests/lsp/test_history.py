"""The recent runs' events of a name, over the embedded store and the fake RunService."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from flyte_sidecar.errors import (
    BackendUnavailable,
    DeadlineExceeded,
    PermissionDenied,
    SidecarError,
)
from flyte_sidecar.events.model import Event, Run, RunInfo, RunPage, Scope, Target
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp import history
from flyte_sidecar.lsp.history import History
from tests.backends.flyte.scenarios import until
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import SCOPE, BackendClient
from tests.events.live.test_live_events import client, harness
from tests.lsp.events import make_event

__all__ = ["client", "harness"]  # fixtures


async def test_the_last_event_of_each_recent_run_is_returned(client: BackendClient) -> None:
    runs = [SCOPE.run(f"run{number}") for number in range(4)]
    await client.answer(await client.ask(runs[0], "deploy"), False)
    await client.ask(runs[1], "deploy")
    await client.ask(runs[2], "other")
    recent = await History(client.service).recent("deploy")
    assert recent.complete
    assert recent.error is None
    found = {event.run_name: event for event in recent.events}
    assert set(found) == {"run0", "run1"}
    assert (found["run0"].payload, found["run1"].pending) == (False, True)
    local = client.service.backend.kind == "local"
    assert set(recent.phases.values()) == {None if local else "RUNNING"}


async def test_runs_that_are_not_included_are_not_read(client: BackendClient) -> None:
    for number in range(2):
        await client.ask(SCOPE.run(f"run{number}"), "deploy")
    recent = await History(client.service, lambda run: run == "run1").recent("deploy")
    assert [event.run_name for event in recent.events] == ["run1"]


async def test_a_backend_that_fails_is_reported() -> None:
    with FlyteHarness("2.0.43") as flyte:
        client = BackendClient(flyte)
        flyte.server.faults.errors["ListRuns"] = (grpc.StatusCode.PERMISSION_DENIED, "no")
        recent = await History(client.service).recent("deploy")
        assert not recent.complete
        assert isinstance(recent.error, PermissionDenied)
        await client.close()


class Runs:
    """A backend with runs whose events are read when the test says so."""

    def __init__(self, count: int) -> None:
        self.ready = {f"run{number}": asyncio.Event() for number in range(count)}
        self.payload: Any = True
        self.error: SidecarError | None = None
        self.reads = 0
        self.running = self.most = 0

    def scope(self, *_: str | None) -> Scope:
        return SCOPE

    def order_key(self, run: Run) -> Run:
        return run

    def runs(self, query: object) -> RunPage:
        scope = {"org": SCOPE.org, "project": SCOPE.project, "domain": SCOPE.domain}
        rest: dict[str, Any] = {"phase": None, "created_at": None, "pending_events": 0}
        found = [RunInfo(run_name=name, **scope, **rest) for name in self.ready]
        return RunPage(runs=found, next_cursor=None, unavailable=[])

    async def choices(self, target: Target) -> list[Event]:
        self.reads += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.ready[target.run.name].wait()
        finally:
            self.running -= 1
        if self.error is not None:
            raise self.error
        name = target.name or ""
        payload = self.payload
        return [make_event(name, run_name=target.run.name, pending=False, payload=payload)]


def of(runs: Runs, deadline: float = 0.0) -> History:
    return History(EventService(runs), deadline=deadline)  # type: ignore[arg-type]


async def settled(recent: History) -> None:
    await until(lambda: not recent._reading)


async def test_what_is_known_at_the_deadline_is_returned_and_reading_continues() -> None:
    runs = Runs(3)
    recent = of(runs)
    runs.ready["run1"].set()
    await recent.recent("deploy")
    await until(lambda: runs.running == 2)
    first = await recent.recent("deploy")
    assert [event.run_name for event in first.events] == ["run1"]
    assert not first.complete
    for ready in runs.ready.values():
        ready.set()
    await settled(recent)
    complete = await recent.recent("deploy")
    assert complete.complete
    assert [event.run_name for event in complete.events] == ["run0", "run1", "run2"]
    assert runs.reads == 3
    await recent.close()


async def test_a_limited_number_of_runs_is_read_at_once() -> None:
    runs = Runs(history.MAX_CONCURRENT + 5)
    recent = of(runs)
    reading = asyncio.ensure_future(recent.recent("deploy"))
    await until(lambda: runs.running == history.MAX_CONCURRENT)
    for ready in runs.ready.values():
        ready.set()
    await reading
    await settled(recent)
    assert runs.most == history.MAX_CONCURRENT
    await recent.close()


async def test_a_long_answer_is_shortened_in_the_cache() -> None:
    runs = Runs(1)
    runs.ready["run0"].set()
    runs.payload = "x" * 3_000_000
    (event,) = (await of(runs, deadline=60.0).recent("deploy")).events
    assert event.payload == "x" * history.MAX_PAYLOAD_LENGTH + "…"


async def test_a_failed_read_is_not_cached() -> None:
    runs = Runs(1)
    runs.ready["run0"].set()
    runs.error = BackendUnavailable("down")
    recent = of(runs, deadline=60.0)
    assert (await recent.recent("deploy")).error is runs.error
    runs.error = None
    assert (await recent.recent("deploy")).complete
    await recent.recent("deploy")
    assert runs.reads == 2


async def test_events_that_have_changed_are_read_again() -> None:
    runs = Runs(1)
    recent = of(runs, deadline=60.0)
    reading = asyncio.ensure_future(recent.recent("deploy"))
    await until(lambda: runs.running == 1)
    recent.invalidate({"deploy"})
    runs.ready["run0"].set()
    await reading  # it may have read the events before they changed
    await recent.recent("deploy")
    assert runs.reads == 2
    recent.invalidate({"other"})
    await recent.recent("deploy")
    assert runs.reads == 2
    recent.invalidate({"deploy"})
    await recent.recent("deploy")
    assert runs.reads == 3


async def test_reading_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "READ_TIMEOUT", 0.0)
    recent = of(Runs(1), deadline=60.0)
    found = await recent.recent("deploy")
    assert not found.complete
    assert isinstance(found.error, DeadlineExceeded)


async def test_closing_stops_reading() -> None:
    runs = Runs(2)
    recent = of(runs)
    await recent.recent("deploy")
    await until(lambda: runs.running == 2)
    await recent.close()
    assert runs.running == 0
    assert not recent._reading
