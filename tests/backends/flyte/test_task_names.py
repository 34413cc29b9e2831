"""How the tasks that created events are read."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.read import task_names
from flyte_sidecar.events.model import Event, TaskName
from tests.backends.flyte.scenarios import EVERY
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient

DETAILS = "GetActionDetails"


async def parent_task(client: BackendClient, event: Event) -> TaskName | None:
    return await client.service.backend.parent_task(event)


async def created(client: BackendClient, flyte: FlyteHarness, task: str, **how: str) -> Event:
    """Return an event that a task of this name has created."""
    parent = flyte.server.model.task(RUN.name, task, **how)  # type: ignore[arg-type]
    event = await client.make(f"q of {parent}", parent=parent)
    flyte.server.calls.clear()
    return event


@EVERY
async def test_the_root_task_of_a_run_is_known(client: BackendClient, flyte: FlyteHarness) -> None:
    flyte.server.model.start_run(RUN.name, "production.main", "production")
    event = await client.make("q")
    assert await parent_task(client, event) == TaskName("main", "production")


@pytest.mark.parametrize(
    ("task", "environment", "expected"),
    [
        ("env.deploy", "env", TaskName("deploy", "env")),
        ("env.deploy", "", TaskName("deploy", "env")),
        ("an.env.deploy", "an.env", TaskName("deploy", "an.env")),
        ("deploy", "env", TaskName("deploy", "env")),
        ("deploy", "", TaskName("deploy", None)),
        ("", "", None),
        ("env.", "env", None),
    ],
)
async def test_the_function_is_the_last_part_of_the_name(
    client: BackendClient,
    flyte: FlyteHarness,
    task: str,
    environment: str,
    expected: TaskName | None,
) -> None:
    event = await created(client, flyte, task, environment=environment, short_name="chosen")
    assert await parent_task(client, event) == expected


async def test_a_parent_that_is_no_task_has_no_name(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    event = await client.make("inner", parent=flyte.server.model.ask(RUN.name, "env.outer"))
    assert await parent_task(client, event) is None


async def test_an_event_without_a_parent_needs_no_call(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    event = await created(client, flyte, "env.deploy")
    assert await parent_task(client, replace(event, parent=None)) is None
    assert flyte.server.calls[DETAILS] == 0


async def test_the_task_of_a_parent_is_read_once_whoever_asks(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    event = await created(client, flyte, "env.deploy")
    found = await asyncio.gather(*(parent_task(client, event) for _ in range(20)))
    assert set(found) == {TaskName("deploy", "env")}
    assert flyte.server.calls[DETAILS] == 1
    await parent_task(client, event)
    assert flyte.server.calls[DETAILS] == 1


async def test_the_cached_tasks_are_bounded(
    client: BackendClient, flyte: FlyteHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_names, "MAX_TASK_NAMES", 2)
    events = [await created(client, flyte, f"env.f{number}") for number in range(3)]
    for event in (*events, events[0]):
        await parent_task(client, event)
    assert flyte.server.calls[DETAILS] == 4


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED]
)
async def test_a_task_that_cannot_be_read_is_unknown_and_is_read_later(
    client: BackendClient, flyte: FlyteHarness, status: grpc.StatusCode
) -> None:
    event = await created(client, flyte, "env.deploy")
    flyte.server.faults.errors[DETAILS] = (status, "no")
    assert await parent_task(client, event) is None
    flyte.server.faults.errors.clear()
    assert await parent_task(client, event) == TaskName("deploy", "env")


async def test_a_parent_that_is_recorded_later_is_found_then(
    client: BackendClient, flyte: FlyteHarness
) -> None:
    event = await client.make("q", parent="a9")
    assert await parent_task(client, event) is None
    flyte.server.model.task(RUN.name, "env.deploy", action="a9")
    assert await parent_task(client, event) == TaskName("deploy", "env")
