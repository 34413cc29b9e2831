"""Requests that are cancelled, and requests that take too long."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rpc.fake_server import FakeServer, ids_and_kinds, kind, request, run_pending


async def test_a_cancelled_request_is_answered_once(server: FakeServer) -> None:
    server.request(1, "work")
    await run_pending()
    server.cancel(1)
    server.cancel(1)
    await run_pending()
    server.cancel(1)
    await run_pending()
    (answer,) = server.answers()
    assert answer["error"]["code"] == -32800
    assert not server.tasks


async def test_a_request_cancelled_before_it_started_never_starts(server: FakeServer) -> None:
    server.send(request(1, "work"), request(2, "write"))
    server.cancel(1)
    server.cancel(2)
    await run_pending()
    assert server.started == []
    first, second = server.answers()
    assert (first["error"]["code"], second["error"]["code"]) == (-32800, -32800)
    assert second["error"]["data"]["outcome"] == "none"
    assert second["error"]["data"]["actionName"] is None
    assert server.writes[0].ends


@pytest.mark.parametrize("method", ["future", "work", "wait", "write"])
@pytest.mark.parametrize("batch", [False, True])
async def test_a_result_decided_before_the_cancellation_is_reported(
    server: FakeServer, method: str, batch: bool
) -> None:
    server.send([request(1, method)] if batch else request(1, method))
    await run_pending()
    server.release(1, "decided")
    server.cancel(1)
    await run_pending()
    answer = {"jsonrpc": "2.0", "id": 1, "result": "decided"}
    assert server.answers() == [[answer] if batch else answer]


async def test_cancelling_an_unknown_id_does_nothing(server: FakeServer) -> None:
    server.request(1, "now")
    others: list[Any] = [1, 2, "1", None, "x" * 5000, 1.5, [], {}]
    for request_id in others:
        server.cancel(request_id)
    server.send({"jsonrpc": "2.0", "method": "$/cancelRequest"})
    server.request("1", "work")
    server.cancel(1)
    await run_pending()
    assert ids_and_kinds(server.answers()) == [(1, "result")]
    server.release("1")


async def test_a_cancelled_write_reports_its_outcome(server: FakeServer) -> None:
    server.request(1, "write")
    await run_pending()
    server.cancel(1)
    await run_pending()
    data = server.answers()[0]["error"]["data"]
    assert (data["outcome"], data["actionName"]) == ("unknown", "a7")
    assert server.writes[0].ends == 1


async def test_a_refused_write_reports_no_outcome_and_is_ended(server: FakeServer) -> None:
    server.request(1, "refused")
    await run_pending()
    assert server.answers()[0]["error"]["data"] == {
        "kind": "invalid_params",
        "retryable": False,
        "path": "/x",
    }
    assert server.writes[0].ends == 1


async def test_a_request_is_answered_at_once_when_its_timeout_passes(server: FakeServer) -> None:
    for request_id, method in enumerate(("work", "wait", "write", "future")):
        server.request(request_id, method, timeoutSeconds=1e-9)
    answers = await server.wait_for(4)
    assert {kind(answer) for answer in answers} == {"deadline_exceeded"}
    await run_pending()
    assert not server.tasks
    assert server.counters.waits == 0


async def test_a_timeout_that_did_not_pass_changes_nothing(server: FakeServer) -> None:
    server.request(1, "work", timeoutSeconds=1e308)
    server.request(2, "now", timeoutSeconds=1e-9)
    await run_pending()
    server.release(1)
    await run_pending()
    assert ids_and_kinds(server.answers()) == [(2, "result"), (1, "result")]
