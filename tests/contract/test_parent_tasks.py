"""The tasks that created events."""

from __future__ import annotations

from flyte_sidecar.events.model import TaskName
from tests.contract.harness import RUN, BackendClient


async def test_the_task_of_an_event_is_known_where_the_backend_records_tasks(
    client: BackendClient,
) -> None:
    name = TaskName("deploy", "production")
    parent = client.harness.start_task(RUN, name)
    event = await client.make("approve", parent=parent or "a0")
    expected = None if parent is None else name
    assert await client.service.backend.parent_task(event) == expected


async def test_the_task_of_an_event_is_unknown_if_its_parent_does_not_exist(
    client: BackendClient,
) -> None:
    event = await client.make("approve", parent="a7")
    assert await client.service.backend.parent_task(event) is None
