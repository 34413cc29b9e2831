"""Uses of the public API, whose types mypy (`make types`) and pyright check. Nothing runs them.

A wrong use has a comment that ignores its error: a type checker that reports no error there
reports the comment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import flyte_sidecar
from flyte_sidecar import Condition, Event, EventPayload, errors, init
from flyte_sidecar.client import Client, SidecarDisconnected
from flyte_sidecar.testing import answering


def a_backend_is_selected() -> None:
    init()
    init(backend="all", store=Path("events.db"), endpoint="localhost:8090", insecure=True)
    assert_type(flyte_sidecar.__version__, str)

    init("local")  # type: ignore[call-arg]  # only keywords
    init(backend="remote")  # type: ignore[arg-type]
    init(transport="http")  # type: ignore[arg-type]
    init(timeout=1)  # type: ignore[call-arg]
    flyte_sidecar.serve()  # type: ignore[attr-defined]


def methods_block() -> None:
    event = Event.create("rate", run_name="r1", expected_type=float, prompt_type="markdown")
    assert_type(event, Event)
    assert_type(Event.get("rate", run_name="r1"), Event | None)
    assert_type(Event.get("rate", "r1", "a0"), Event | None)
    for listed in Event.listall(run_name="r1", limit=10):
        assert_type(listed, Event)
    assert_type(event.wait(timeout=1.5), EventPayload)
    event.signal(True)
    event.signal(3)
    event.signal("text")

    Event.get("rate")  # type: ignore[call-arg]  # no run
    Event.get(name="rate", run_name="r1")  # type: ignore[call-arg]  # `name` is positional
    Event.get("rate", run_name="r1").phase  # type: ignore[union-attr]  # noqa: B018  # None
    Event.create("rate", run_name="r1", expected_type=list)  # type: ignore[arg-type]
    Event.create("rate", run_name="r1", prompt_type="html")  # type: ignore[arg-type]
    Event.listall()  # type: ignore[call-arg]
    event.signal()  # type: ignore[call-arg]
    event.signal(None)  # type: ignore[arg-type]
    event.signal(value=True)  # type: ignore[call-arg]
    event.wait(timeout="1 s")  # type: ignore[arg-type]


async def methods_have_asynchronous_versions(event: Event) -> None:
    assert_type(await Event.create.aio("rate", run_name="r1"), Event)
    assert_type(await Event.get.aio("rate", run_name="r1"), Event | None)
    async for listed in Event.listall.aio(run_name="r1"):
        assert_type(listed, Event)
    assert_type(await event.wait.aio(), EventPayload)
    await event.signal.aio(0.5)

    await event.signal.aio([])  # type: ignore[arg-type]
    await Event.get("rate", run_name="r1")  # type: ignore[misc]  # it blocks
    for _ in Event.listall.aio(run_name="r1"):  # type: ignore[attr-defined]
        pass


def an_event_has_attributes(event: Event) -> None:
    assert_type(event.name, str)
    assert_type(event.action_name, str)
    assert_type(event.run_name, str)
    assert_type(event.phase, str)
    assert_type(event.expected_type, type[EventPayload] | None)
    assert_type(event.to_dict(), dict[str, Any])
    assert_type(event.to_json(), str)

    event.phase = "SUCCEEDED"  # type: ignore[misc]  # it is read-only
    event.payload  # type: ignore[attr-defined]  # noqa: B018


def an_event_has_the_newer_name_of_the_sdk() -> None:
    assert_type(Condition.get("deploy", run_name="r1"), Event | None)
    condition: Condition = Event.create("deploy", run_name="r1")
    condition.signal(True)


def errors_form_families(event: Event) -> None:
    try:
        event.signal(True)
    except errors.AlreadySignalled as error:
        assert_type(error.message, str)
        assert_type(error.data, dict[str, Any])
        family: errors.EventError = error
        assert_type(family.retryable, bool)
    except (errors.BackendFailure, errors.ProtocolError) as failure:
        base: errors.SidecarError = failure
        assert_type(base.kind, str)
        assert_type(base.code, int)
    family = errors.StoreBusy("the store is busy")  # type: ignore[assignment]


async def a_client_drives_a_process() -> None:
    async with Client.spawn("--store", "events.db", command=["flyte-sidecar"]) as client:
        assert_type(client, Client)
        assert_type(await client.request("events.list", runName="r1"), Any)
        client.notify("exit")
        client.on_notification = print
        assert_type(await client.close(), int)

        await client.request()  # type: ignore[call-arg]
        await client.request("events.get", {"runName": "r1"})  # type: ignore[call-arg]
        client.on_notification = len  # type: ignore[assignment]
    async with Client.spawn(1):  # type: ignore[arg-type]
        pass
    with Client.spawn():  # type: ignore[attr-defined]
        pass
    ended: Exception = SidecarDisconnected()
    assert_type(ended.args, tuple[Any, ...])


def tests_answer_conditions() -> None:
    with answering({"deploy": True, "rate": 0.5}) as answers:
        assert_type(answers, dict[str, bool | int | float | str])
        answers["name"] = "text"

        answers["rate"] = None  # type: ignore[assignment]
    with answering({"deploy": None}):  # type: ignore[dict-item]
        pass
    with answering([True]):  # type: ignore[arg-type]
        pass
