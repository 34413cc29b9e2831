"""Batches."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

from flyte_sidecar.rpc import batches
from tests.rpc.fake_server import FakeServer, ids_and_kinds, kind, request, run_pending


async def test_a_batch_is_answered_by_one_array_once_all_are_done(server: FakeServer) -> None:
    note = {"jsonrpc": "2.0", "method": "note"}
    server.send([request(1, "now"), request(2, "work"), note, 7, request(3, "fail"), []])
    await run_pending()
    assert server.answers() == []
    server.release(2)
    await run_pending()
    (array,) = server.answers()
    assert ids_and_kinds(array) == [
        (1, "result"),
        (2, "result"),
        (None, "invalid_request"),
        (3, "backend_unavailable"),
        (None, "invalid_request"),
    ]
    assert server.notifications == 1


async def test_a_batch_of_notifications_is_not_answered(server: FakeServer) -> None:
    server.send([{"jsonrpc": "2.0", "method": "note"}] * 3)
    server.send([{"jsonrpc": "2.0", "method": "exit"}])
    await run_pending()
    assert server.answers() == []
    assert server.notifications == 3


async def test_methods_that_are_not_allowed_in_a_batch_are_refused_in_one(
    server: FakeServer,
) -> None:
    server.send([request(1, "alone"), request(2, "exit"), request(3, "now")])
    (array,) = server.answers()
    assert [request_id for request_id, _ in ids_and_kinds(array)] == [1, 2, 3]
    assert kind(array[0]) == "invalid_request"
    assert kind(array[2]) == "result"


async def test_ids_are_unique_within_a_batch_and_among_requests_in_flight(
    server: FakeServer,
) -> None:
    server.request(1, "work")
    server.send([request(1, "now"), request(2, "now"), request(2, "now")])
    (array,) = server.answers()
    assert ids_and_kinds(array) == [
        (None, "invalid_request"),
        (2, "result"),
        (None, "invalid_request"),
    ]
    server.request(2, "now")
    assert ids_and_kinds(server.answers()) == [(2, "result")]
    server.release(1)


async def test_one_request_of_a_batch_can_be_cancelled(server: FakeServer) -> None:
    server.send([request(1, "work"), request(2, "wait")])
    await run_pending()
    server.cancel(2)
    server.release(1)
    await run_pending()
    (array,) = server.answers()
    assert ids_and_kinds(array) == [(1, "result"), (2, "request_cancelled")]


async def test_an_empty_and_a_too_long_batch_are_one_invalid_request(server: FakeServer) -> None:
    server.send([])
    server.send([request(n, "now") for n in range(1001)])
    assert ids_and_kinds(server.answers()) == [(None, "invalid_request")] * 2
    server.send([request(n, "now") for n in range(1000)])
    assert ids_and_kinds(server.answers()[0]) == [(n, "result") for n in range(1000)]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_BATCH_BYTES", 20_000)


@pytest.mark.usefixtures("small_batches")
async def test_reads_whose_results_no_longer_fit_fail_as_too_large(server: FakeServer) -> None:
    server.send([request(n, "work") for n in range(8)])
    await run_pending()
    for n in range(8):
        server.release(n, "x" * (8000 if n % 2 else 100))
    await run_pending()
    size = len(b"".join(server.transport.unread))
    (array,) = server.answers()
    assert [request_id for request_id, _ in ids_and_kinds(array)] == list(range(8))
    kinds = [kind(answer) for answer in array]
    assert kinds.count("message_too_large") == 2
    assert kinds[::2] == ["result"] * 4
    (refused,) = {str(one["error"]) for one in array if "error" in one}
    assert "20000" in refused
    assert size < 20_000


@pytest.mark.usefixtures("small_batches")
async def test_the_result_of_a_write_is_reported_whatever_its_size(server: FakeServer) -> None:
    server.send([request(1, "write"), request(2, "write"), request(3, "now")])
    await run_pending()
    server.release(1, "x" * 19_000)
    server.release(2, "x" * 19_000)
    await run_pending()
    (array,) = server.answers()
    assert ids_and_kinds(array) == [(1, "result"), (2, "result"), (3, "result")]


@pytest.mark.usefixtures("small_batches")
async def test_the_array_keeps_its_limit_however_many_results_do_not_fit(
    server: FakeServer,
) -> None:
    long = "i" * 200
    entries: list[Any] = [request(f"{long}{n}", "work") for n in range(12)]
    server.send([*entries, request(f"{long}0", "now"), 7])
    await run_pending()
    for n in range(12):
        server.release(f"{long}{n}", "x" * 2000)
    await run_pending()
    assert len(b"".join(server.transport.unread)) <= 20_000
    (array,) = server.answers()
    assert len(array) == 14
    kinds = [kind(answer) for answer in array]
    assert kinds.count("result") + kinds.count("message_too_large") == 12
    assert 6 <= kinds.count("result") < 10


class Result(dict[str, int]):
    """A result that supports weak references."""


async def test_the_results_of_a_batch_are_not_kept_beside_its_array(server: FakeServer) -> None:
    server.send([request(1, "work"), request(2, "work")])
    await run_pending()
    result = Result(n=1)
    kept = weakref.ref(result)
    server.release(1, result)
    del result
    await run_pending()
    assert kept() is None
    server.release(2)
    await run_pending()
    ((first, _),) = server.answers()
    assert first["result"] == {"n": 1}


async def test_all_open_batches_together_hold_bounded_memory(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_HELD_BYTES", 32_000)

    for n in range(5):
        server.send([request(f"stuck {n}", "work"), request(n, "work")])
    await run_pending()
    for n in range(5):
        server.release(n, "x" * 10_000)
    await run_pending()
    for n in range(5):
        server.release(f"stuck {n}")
    await run_pending()
    kinds = [kind(batch[1]) for batch in server.answers()]
    assert kinds == ["result"] * 3 + ["message_too_large"] * 2
    server.send([request(6, "work")])
    await run_pending()
    server.release(6, "x" * 30_000)
    await run_pending()
    ((answer,),) = server.answers()
    assert kind(answer) == "result"
