"""The responses to one client."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.rpc.fake_server import FakeServer, ids_and_kinds, kind, request, run_pending


async def test_an_immediate_result_is_sent_without_a_task(server: FakeServer) -> None:
    server.request(1, "now")
    assert server.answers() == [{"jsonrpc": "2.0", "id": 1, "result": "now"}]
    assert not server.tasks


async def test_responses_are_sent_as_soon_as_they_are_decided(server: FakeServer) -> None:
    server.request(1, "work")
    server.request("x", "work")
    server.request(3, "now")
    await run_pending()
    server.release("x")
    await run_pending()
    server.release(1)
    await run_pending()
    assert ids_and_kinds(server.answers()) == [(3, "result"), ("x", "result"), (1, "result")]


async def test_ids_are_echoed_as_they_were_sent(server: FakeServer) -> None:
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
        server.connection.data_received(b'{"jsonrpc":"2.0","id":%b,"method":"now"}\n' % text)
    lines = b"".join(server.transport.unread).splitlines()
    assert lines == [b'{"jsonrpc":"2.0","id":%b,"result":"now"}' % text for text in texts]


@pytest.mark.parametrize("text", [b"1.5", b"1e-2", b"true", b"[]", b"{}"])
async def test_other_ids_are_refused(server: FakeServer, text: bytes) -> None:
    server.connection.data_received(b'{"jsonrpc":"2.0","id":%b,"method":"now"}\n' % text)
    assert ids_and_kinds(server.answers()) == [(None, "invalid_request")]


async def test_an_id_in_flight_is_refused_however_it_is_written(server: FakeServer) -> None:
    server.request("a", "work")
    server.connection.data_received(b'{"jsonrpc":"2.0","id":"\\u0061","method":"now"}\n')
    (refused,) = server.answers()
    assert (refused["id"], kind(refused)) == (None, "invalid_request")
    assert refused["error"]["data"]["id"] == "a"
    await run_pending()
    server.release("a")
    await run_pending()
    server.request("a", "now")
    assert ids_and_kinds(server.answers()) == [("a", "result"), ("a", "result")]


async def test_the_id_null_is_in_flight_like_any_other(server: FakeServer) -> None:
    server.request(None, "work")
    server.request(None, "now")
    (refused,) = server.answers()
    assert refused["error"]["data"]["id"] is None
    await run_pending()
    server.cancel(None)
    await run_pending()
    assert ids_and_kinds(server.answers()) == [(None, "request_cancelled")]


async def test_an_integer_is_one_id_however_it_is_written(server: FakeServer) -> None:
    server.request(1, "work")
    server.connection.data_received(b'{"jsonrpc":"2.0","id":1.0,"method":"now"}\n')
    (refused,) = server.answers()
    assert (refused["id"], refused["error"]["data"]["id"]) == (None, 1.0)
    await run_pending()
    cancel = b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":10e-1}}\n'
    server.connection.data_received(cancel)
    await run_pending()
    assert ids_and_kinds(server.answers()) == [(1, "request_cancelled")]


@pytest.mark.parametrize("batch", [False, True])
async def test_the_error_of_a_malformed_message_does_not_answer_a_request_in_flight(
    server: FakeServer, batch: bool
) -> None:
    server.request(1, "work")
    message = b'{"jsonrpc":"2.0","id":1,"method":5}'
    server.connection.data_received((b"[%b]\n" if batch else b"%b\n") % message)
    (answer,) = server.answers()
    refused = answer[0] if batch else answer
    assert (refused["id"], kind(refused)) == (None, "invalid_request")
    assert refused["error"]["data"]["id"] == 1
    await run_pending()
    server.release(1)
    await run_pending()
    assert ids_and_kinds(server.answers()) == [(1, "result")]


async def test_any_id_is_echoed_in_one_line(server: FakeServer) -> None:
    request_id = "a\u2028b\u2029c\x85“"
    server.request(request_id, "now")
    server.send([request(request_id, "now"), request(request_id, "now")])
    server.request(request_id, "gone")
    server.connection.notify("note", {"text": request_id})
    await run_pending()
    lines = b"".join(server.transport.unread).decode().splitlines()
    assert len(lines) == 4
    one, batch, error, note = map(json.loads, lines)
    assert one["id"] == batch[0]["id"] == error["id"] == request_id
    assert batch[1]["error"]["data"]["id"] == note["params"]["text"] == request_id


async def test_an_id_is_free_once_its_request_timed_out(server: FakeServer) -> None:
    server.request(1, "write", timeoutSeconds=1e-9)
    assert ids_and_kinds(await server.wait_for(1)) == [(1, "deadline_exceeded")]
    server.request(1, "work")
    await run_pending()
    server.release(1)
    await run_pending()
    assert ids_and_kinds(server.answers()) == [(1, "result")]


async def test_responses_are_dropped(server: FakeServer) -> None:
    server.send({"jsonrpc": "2.0", "id": 1, "result": None})
    server.send({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}})
    server.send([{"jsonrpc": "2.0", "id": 1, "result": 5}])
    await run_pending()
    assert server.answers() == []


async def test_notifications_are_never_answered(server: FakeServer) -> None:
    for method in ("now", "fail", "crash", "crash.later", "unencodable", "wait", "note", "gone"):
        server.send({"jsonrpc": "2.0", "method": method})
        server.send({"jsonrpc": "2.0", "method": method, "params": [7]})
    server.send([{"jsonrpc": "2.0", "method": "now"}])
    await run_pending()
    assert server.answers() == []
    assert server.notifications == 1
    assert server.counters.waits == 0


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
    server: FakeServer, message: Any, answer: Any
) -> None:
    if not isinstance(message, dict):
        server.request(0, "now")  # a line that begins otherwise would choose the other framing
        server.answers()
    server.send(message)
    assert ids_and_kinds(server.answers()) == [answer]


async def test_a_method_name_of_a_mebibyte_is_not_repeated(server: FakeServer) -> None:
    server.request(1, "x" * (1 << 20))
    (answer,) = server.answers()
    assert len(json.dumps(answer)) < 500


async def test_an_id_of_a_mebibyte_is_echoed(server: FakeServer) -> None:
    server.request("x" * (1 << 20), "now")
    assert server.answers()[0]["id"] == "x" * (1 << 20)


@pytest.mark.parametrize("method", ["crash", "crash.later", "unencodable"])
async def test_a_defect_is_answered_and_does_not_leak(
    server: FakeServer, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        server.request(1, method)
        server.request(2, "now")
        await run_pending()
    answers = sorted(server.answers(), key=lambda answer: answer["id"])
    assert ids_and_kinds(answers) == [(1, "internal_error"), (2, "result")]
    assert "secret" not in json.dumps(answers)
    assert "internal error" in caplog.text
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


async def test_the_error_of_an_unknown_method_suggests_a_similar_one(server: FakeServer) -> None:
    server.request(1, "crash.latr")
    server.request(2, "Crash_Later")
    server.request(3, "zzz")
    messages = [answer["error"]["message"] for answer in server.answers()]
    assert messages == [
        "unknown method 'crash.latr'; did you mean 'crash.later'?",
        "unknown method 'Crash_Later'; did you mean 'crash.later'?",
        "unknown method 'zzz'",
    ]


async def test_a_notification_that_fails_is_logged_with_its_method(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        server.send({"jsonrpc": "2.0", "method": "fail", "params": {"secret": "token"}})
        server.send({"jsonrpc": "2.0", "method": "textDocument/didOpen"})
        assert server.answers() == []
    assert caplog.messages == ["notification 'fail' failed: invalid_params"]


class Broken(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("can't start new thread")


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
async def test_a_log_that_cannot_be_written_prevents_no_response(
    server: FakeServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    level: int,
) -> None:
    logger = logging.getLogger("flyte_sidecar")
    monkeypatch.setattr(logger, "handlers", [*logger.handlers, Broken()])
    caplog.set_level(level, logger.name)
    for method in ("crash", "crash.later", "unencodable", "fail", "gone", "now"):
        server.send({"jsonrpc": "2.0", "method": method, "params": {}})
        server.request(method, method)
        server.send([request(f"{method} in a batch", method)])
    await run_pending()
    server.connection.connection_lost(OSError("broken"))
    answers: list[Any] = []
    for answer in server.answers():
        answers += answer if isinstance(answer, list) else [answer]
    assert len(ids_and_kinds(answers)) == len({one["id"] for one in answers}) == 12


async def test_an_error_has_its_code_and_data(server: FakeServer) -> None:
    server.request(1, "fail")
    (answer,) = server.answers()
    data = {"kind": "backend_unavailable", "retryable": True, "grpcStatus": "UNAVAILABLE"}
    assert answer["error"] == {"code": 1010, "message": "down", "data": data}
