"""The responses to one client."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.rpc.bench import Bench, ids_and_kinds, kind, request, run_pending


async def test_an_immediate_result_is_sent_without_a_task(bench: Bench) -> None:
    bench.ask(1, "now")
    assert bench.answers() == [{"jsonrpc": "2.0", "id": 1, "result": "now"}]
    assert not bench.tasks


async def test_responses_are_sent_as_soon_as_they_are_decided(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.ask("x", "work")
    bench.ask(3, "now")
    await run_pending()
    bench.release("x")
    await run_pending()
    bench.release(1)
    await run_pending()
    assert ids_and_kinds(bench.answers()) == [(3, "result"), ("x", "result"), (1, "result")]


async def test_ids_are_echoed_as_they_were_sent(bench: Bench) -> None:
    texts = [
        b"null",
        b"0",
        b"-5",
        b"%d" % 10**30,
        rb'"\u0061\/"',
        '"é"'.encode(),
        b'""',
        b"1.0",
        b"1e3",
    ]
    for text in texts:
        bench.connection.data_received(b'{"jsonrpc":"2.0","id":%b,"method":"now"}\n' % text)
    lines = b"".join(bench.transport.unread).splitlines()
    assert lines == [b'{"jsonrpc":"2.0","id":%b,"result":"now"}' % text for text in texts]


@pytest.mark.parametrize("text", [b"1.5", b"1e-2", b"true", b"[]", b"{}"])
async def test_other_ids_are_refused(bench: Bench, text: bytes) -> None:
    bench.connection.data_received(b'{"jsonrpc":"2.0","id":%b,"method":"now"}\n' % text)
    assert ids_and_kinds(bench.answers()) == [(None, "invalid_request")]


async def test_an_id_in_flight_is_refused_however_it_is_written(bench: Bench) -> None:
    bench.ask("a", "work")
    bench.connection.data_received(b'{"jsonrpc":"2.0","id":"\\u0061","method":"now"}\n')
    (refused,) = bench.answers()
    assert (refused["id"], kind(refused)) == (None, "invalid_request")
    assert refused["error"]["data"]["id"] == "a"
    await run_pending()
    bench.release("a")
    await run_pending()
    bench.ask("a", "now")
    assert ids_and_kinds(bench.answers()) == [("a", "result"), ("a", "result")]


async def test_the_id_null_is_in_flight_like_any_other(bench: Bench) -> None:
    bench.ask(None, "work")
    bench.ask(None, "now")
    (refused,) = bench.answers()
    assert refused["error"]["data"]["id"] is None
    await run_pending()
    bench.cancel(None)
    await run_pending()
    assert ids_and_kinds(bench.answers()) == [(None, "request_cancelled")]


async def test_an_integer_is_one_id_however_it_is_written(bench: Bench) -> None:
    bench.ask(1, "work")
    bench.connection.data_received(b'{"jsonrpc":"2.0","id":1.0,"method":"now"}\n')
    (refused,) = bench.answers()
    assert (refused["id"], refused["error"]["data"]["id"]) == (None, 1.0)
    await run_pending()
    cancel = b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":10e-1}}\n'
    bench.connection.data_received(cancel)
    await run_pending()
    assert ids_and_kinds(bench.answers()) == [(1, "request_cancelled")]


@pytest.mark.parametrize("batch", [False, True])
async def test_the_error_of_a_malformed_message_does_not_answer_a_request_in_flight(
    bench: Bench, batch: bool
) -> None:
    bench.ask(1, "work")
    message = b'{"jsonrpc":"2.0","id":1,"method":5}'
    bench.connection.data_received((b"[%b]\n" if batch else b"%b\n") % message)
    (answer,) = bench.answers()
    refused = answer[0] if batch else answer
    assert (refused["id"], kind(refused)) == (None, "invalid_request")
    assert refused["error"]["data"]["id"] == 1
    await run_pending()
    bench.release(1)
    await run_pending()
    assert ids_and_kinds(bench.answers()) == [(1, "result")]


async def test_any_id_is_echoed_in_one_line(bench: Bench) -> None:
    identity = "a\u2028b\u2029c\x85“"
    bench.ask(identity, "now")
    bench.send([request(identity, "now"), request(identity, "now")])
    bench.ask(identity, "gone")
    bench.connection.notify("note", {"text": identity})
    await run_pending()
    lines = b"".join(bench.transport.unread).decode().splitlines()
    assert len(lines) == 4
    one, batch, error, note = map(json.loads, lines)
    assert one["id"] == batch[0]["id"] == error["id"] == identity
    assert batch[1]["error"]["data"]["id"] == note["params"]["text"] == identity


async def test_an_id_is_free_once_its_request_timed_out(bench: Bench) -> None:
    bench.ask(1, "write", timeoutSeconds=1e-9)
    assert ids_and_kinds(await bench.wait_for(1)) == [(1, "deadline_exceeded")]
    bench.ask(1, "work")
    await run_pending()
    bench.release(1)
    await run_pending()
    assert ids_and_kinds(bench.answers()) == [(1, "result")]


async def test_responses_are_dropped(bench: Bench) -> None:
    bench.send({"jsonrpc": "2.0", "id": 1, "result": None})
    bench.send({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}})
    bench.send([{"jsonrpc": "2.0", "id": 1, "result": 5}])
    await run_pending()
    assert bench.answers() == []


async def test_notifications_are_never_answered(bench: Bench) -> None:
    for method in ("now", "fail", "crash", "crash.later", "unencodable", "wait", "note", "gone"):
        bench.send({"jsonrpc": "2.0", "method": method})
        bench.send({"jsonrpc": "2.0", "method": method, "params": [7]})
    bench.send([{"jsonrpc": "2.0", "method": "now"}])
    await run_pending()
    assert bench.answers() == []
    assert bench.notifications == 1
    assert bench.counters.waits == 0


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({}, (None, "invalid_request")),
        ({"jsonrpc": "2.0", "id": 1}, (1, "invalid_request")),
        ({"id": 1, "method": "now"}, (1, "invalid_request")),
        ({"method": "now"}, (None, "invalid_request")),
        ({"jsonrpc": "1.0", "id": 1, "method": "now"}, (1, "invalid_request")),
        ({"jsonrpc": "2.0", "id": 1, "method": "gone"}, (1, "method_not_found")),
        ({"jsonrpc": "2.0", "id": 1, "method": "note"}, (1, "invalid_request")),
        ({"jsonrpc": "2.0", "id": 1, "method": "now", "params": [1]}, (1, "invalid_params")),
        ({"jsonrpc": "2.0", "id": 1, "method": "now", "extra": [1]}, (1, "result")),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, (1, "invalid_request")),
        ("x", (None, "invalid_request")),
        ({"jsonrpc": "2.0", "id": 1, "method": "$/cancelRequest"}, (1, "invalid_request")),
    ],
)
async def test_every_message_except_notifications_is_answered(
    bench: Bench, message: Any, answer: Any
) -> None:
    if not isinstance(message, dict):
        bench.ask(0, "now")  # a line that begins otherwise would choose the other framing
        bench.answers()
    bench.send(message)
    assert ids_and_kinds(bench.answers()) == [answer]


async def test_a_method_name_of_a_mebibyte_is_not_repeated(bench: Bench) -> None:
    bench.ask(1, "x" * (1 << 20))
    (answer,) = bench.answers()
    assert len(json.dumps(answer)) < 500


async def test_an_id_of_a_mebibyte_is_echoed(bench: Bench) -> None:
    bench.ask("x" * (1 << 20), "now")
    assert bench.answers()[0]["id"] == "x" * (1 << 20)


@pytest.mark.parametrize("method", ["crash", "crash.later", "unencodable"])
async def test_a_defect_is_answered_and_does_not_leak(
    bench: Bench, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        bench.ask(1, method)
        bench.ask(2, "now")
        await run_pending()
    answers = sorted(bench.answers(), key=lambda answer: answer["id"])
    assert ids_and_kinds(answers) == [(1, "internal_error"), (2, "result")]
    assert "secret" not in json.dumps(answers)
    assert "internal error" in caplog.text
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_the_error_of_an_unknown_method_suggests_a_similar_one(bench: Bench) -> None:
    bench.ask(1, "crash.latr")
    bench.ask(2, "Crash_Later")
    bench.ask(3, "zzz")
    messages = [answer["error"]["message"] for answer in bench.answers()]
    assert messages == [
        "unknown method 'crash.latr'; did you mean 'crash.later'?",
        "unknown method 'Crash_Later'; did you mean 'crash.later'?",
        "unknown method 'zzz'",
    ]


async def test_a_notification_that_fails_is_logged_with_its_method(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        bench.send({"jsonrpc": "2.0", "method": "fail", "params": {"secret": "token"}})
        bench.send({"jsonrpc": "2.0", "method": "textDocument/didOpen"})
        assert bench.answers() == []
    assert caplog.messages == ["notification 'fail' failed: invalid_params"]


class Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
async def test_a_log_that_cannot_be_written_prevents_no_response(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, level: int
) -> None:
    logger = logging.getLogger("flyte_sidecar")
    monkeypatch.setattr(logger, "handlers", [*logger.handlers, Broken()])
    caplog.set_level(level, logger.name)
    for method in ("crash", "crash.later", "unencodable", "fail", "gone", "now"):
        bench.send({"jsonrpc": "2.0", "method": method, "params": {}})
        bench.ask(method, method)
        bench.send([request(f"{method} in a batch", method)])
    await run_pending()
    bench.connection.connection_lost(OSError("broken"))
    answers: list[Any] = []
    for answer in bench.answers():
        answers += answer if isinstance(answer, list) else [answer]
    assert len(ids_and_kinds(answers)) == len({one["id"] for one in answers}) == 12


async def test_an_error_has_its_code_and_data(bench: Bench) -> None:
    bench.ask(1, "fail")
    (answer,) = bench.answers()
    data = {"kind": "backend_unavailable", "retryable": True, "grpcStatus": "UNAVAILABLE"}
    assert answer["error"] == {"code": 1010, "message": "down", "data": data}
