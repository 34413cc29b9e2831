"""Many requests in one array."""

from __future__ import annotations

from tests.rpc.bench import Bench, kind, on_a_bench, request, settled, told


@on_a_bench
async def test_a_batch_is_answered_by_one_array_once_all_are_done(bench: Bench) -> None:
    note = {"jsonrpc": "2.0", "method": "note"}
    bench.send([request(1, "now"), request(2, "work"), note, 7, request(3, "fail"), []])
    await settled()
    assert bench.answers() == []
    bench.release(2)
    await settled()
    (array,) = bench.answers()
    assert told(array) == [
        (1, "result"),
        (2, "result"),
        (None, "invalid_request"),
        (3, "backend_unavailable"),
        (None, "invalid_request"),
    ]
    assert bench.notes == 1


@on_a_bench
async def test_a_batch_of_notifications_is_not_answered(bench: Bench) -> None:
    bench.send([{"jsonrpc": "2.0", "method": "note"}] * 3)
    bench.send([{"jsonrpc": "2.0", "method": "exit"}])
    await settled()
    assert bench.answers() == []
    assert bench.notes == 3


@on_a_bench
async def test_what_must_stand_alone_is_refused_in_a_batch(bench: Bench) -> None:
    bench.send([request(1, "alone"), request(2, "exit"), request(3, "now")])
    (array,) = bench.answers()
    assert [identity for identity, _ in told(array)] == [1, 2, 3]
    assert kind(array[0]) == "invalid_request"
    assert kind(array[2]) == "result"


@on_a_bench
async def test_ids_are_unique_within_a_batch_and_against_what_is_in_flight(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.send([request(1, "now"), request(2, "now"), request(2, "now")])
    (array,) = bench.answers()
    assert told(array) == [(None, "invalid_request"), (2, "result"), (None, "invalid_request")]
    bench.ask(2, "now")
    assert told(bench.answers()) == [(2, "result")]
    bench.release(1)


@on_a_bench
async def test_one_request_of_a_batch_can_be_cancelled(bench: Bench) -> None:
    bench.send([request(1, "work"), request(2, "wait")])
    await settled()
    bench.cancel(2)
    bench.release(1)
    await settled()
    (array,) = bench.answers()
    assert told(array) == [(1, "result"), (2, "request_cancelled")]


@on_a_bench
async def test_an_empty_and_a_too_long_batch_are_one_invalid_request(bench: Bench) -> None:
    bench.send([])
    bench.send([request(n, "now") for n in range(1001)])
    assert told(bench.answers()) == [(None, "invalid_request")] * 2
    bench.send([request(n, "now") for n in range(1000)])
    assert told(bench.answers()[0]) == [(n, "result") for n in range(1000)]
