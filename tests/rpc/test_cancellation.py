"""Requests that are cancelled, and requests that take too long."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rpc.bench import Bench, ids_and_kinds, kind, request, run_pending


async def test_a_cancelled_request_is_answered_once(bench: Bench) -> None:
    bench.ask(1, "work")
    await run_pending()
    bench.cancel(1)
    bench.cancel(1)
    await run_pending()
    bench.cancel(1)
    await run_pending()
    (answer,) = bench.answers()
    assert answer["error"]["code"] == -32800
    assert not bench.tasks


async def test_a_request_cancelled_before_it_started_never_starts(bench: Bench) -> None:
    bench.send(request(1, "work"), request(2, "write"))
    bench.cancel(1)
    bench.cancel(2)
    await run_pending()
    assert bench.started == []
    first, second = bench.answers()
    assert (first["error"]["code"], second["error"]["code"]) == (-32800, -32800)
    assert second["error"]["data"]["outcome"] == "none"
    assert second["error"]["data"]["actionName"] is None
    assert bench.writes[0].ends


@pytest.mark.parametrize("method", ["future", "work", "wait", "write"])
@pytest.mark.parametrize("batch", [False, True])
async def test_a_result_decided_before_the_cancellation_is_reported(
    bench: Bench, method: str, batch: bool
) -> None:
    bench.send([request(1, method)] if batch else request(1, method))
    await run_pending()
    bench.release(1, "decided")
    bench.cancel(1)
    await run_pending()
    answer = {"jsonrpc": "2.0", "id": 1, "result": "decided"}
    assert bench.answers() == [[answer] if batch else answer]


async def test_cancelling_an_unknown_id_does_nothing(bench: Bench) -> None:
    bench.ask(1, "now")
    others: list[Any] = [1, 2, "1", None, "x" * 5000, 1.5, [], {}]
    for identity in others:
        bench.cancel(identity)
    bench.send({"jsonrpc": "2.0", "method": "$/cancelRequest"})
    bench.ask("1", "work")
    bench.cancel(1)
    await run_pending()
    assert ids_and_kinds(bench.answers()) == [(1, "result")]
    bench.release("1")


async def test_a_cancelled_write_reports_its_outcome(bench: Bench) -> None:
    bench.ask(1, "write")
    await run_pending()
    bench.cancel(1)
    await run_pending()
    data = bench.answers()[0]["error"]["data"]
    assert (data["outcome"], data["actionName"]) == ("unknown", "a7")
    assert bench.writes[0].ends == 1


async def test_a_refused_write_reports_no_outcome_and_is_ended(bench: Bench) -> None:
    bench.ask(1, "refused")
    await run_pending()
    assert bench.answers()[0]["error"]["data"] == {
        "kind": "invalid_params",
        "retryable": False,
        "path": "/x",
    }
    assert bench.writes[0].ends == 1


async def test_a_request_is_answered_at_once_when_its_timeout_passes(bench: Bench) -> None:
    for identity, method in enumerate(("work", "wait", "write", "future")):
        bench.ask(identity, method, timeoutSeconds=1e-9)
    answers = await bench.wait_for(4)
    assert {kind(answer) for answer in answers} == {"deadline_exceeded"}
    await run_pending()
    assert not bench.tasks
    assert bench.counters.waits == 0


async def test_a_timeout_that_did_not_pass_changes_nothing(bench: Bench) -> None:
    bench.ask(1, "work", timeoutSeconds=1e308)
    bench.ask(2, "now", timeoutSeconds=1e-9)
    await run_pending()
    bench.release(1)
    await run_pending()
    assert ids_and_kinds(bench.answers()) == [(2, "result"), (1, "result")]
