"""Any input leads to valid protocol messages."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.rpc.fake_server import FakeServer, request, run_pending

MESSAGES = [
    request(1, "now"),
    request("a\u2028\x85é", "fail", timeoutSeconds=1.0),
    request(1.0, "gone", _meta={"progressToken": "\ud800"}),
    request(None, "now", x=[{"id": 7}, "}", '"id":8'], y=-1.5e300),
    {"jsonrpc": "2.0", "method": "fail", "params": [None]},
    {"jsonrpc": "2.0", "id": "r", "result": {"id": 9}},
    [request(2, "now"), request("b", "crash", more={}), 5],
]
TEXTS = [
    *(json.dumps(message).encode() for message in MESSAGES),
    *(json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") for message in MESSAGES),
]
PIECES = st.one_of(
    st.binary(max_size=3),
    st.sampled_from(list(b'{}[],:"\\0-.eEnu \t\x00\xc2\x85')).map(lambda byte: bytes([byte])),
    st.sampled_from([b'"id":', b"null", b"NaN", b'"a"1', rb"\ud800", "\u2028".encode(), b"1e400"]),
)
MUTATION = st.tuples(st.floats(0, 1), st.integers(0, 4), PIECES)


def mutated(text: bytes, mutations: list[tuple[float, int, bytes]]) -> bytes:
    for place, width, piece in mutations:
        at = int(place * len(text))
        text = text[:at] + piece.replace(b"\n", b" ") + text[at + width :]
    return text


def no_number(word: str) -> NoReturn:
    raise AssertionError(f"{word} is not JSON")


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.lists(MUTATION, max_size=3)), max_size=4))
@example([(b'{"jsonrpc":"2.0","id":"a"1,"method":"now"}', [])])
@example([(b'{"jsonrpc":"2.0","method":"x","id":"a"}{"id":"b"1', [])])
async def test_any_message_is_answered_by_at_most_one_line_of_json(messages: list[Any]) -> None:
    server = FakeServer()
    server.request("first", "now")  # chooses the framing
    for text, mutations in messages:
        server.answers()
        server.connection.data_received(mutated(text, mutations) + b"\n")
        await run_pending()
        data = b"".join(server.transport.unread)
        lines = data.decode().splitlines()
        assert len(lines) <= 1
        assert data.count(b"\n") == len(lines)
        for line in lines:
            answer = json.loads(line, parse_constant=no_number)
            for one in answer if isinstance(answer, list) else [answer]:
                assert one["jsonrpc"] == "2.0"
                assert isinstance(one["id"], str | int | float | None)
                assert ("result" in one) != ("error" in one)
            line.encode("utf-8", "strict")
    assert not server.tasks
