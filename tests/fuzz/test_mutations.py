"""Whatever the input, the output is protocol, and every request has exactly one response."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.fuzz.conversation import converse, framed, lines
from tests.fuzz.due import responses_due
from tests.fuzz.mutation import mutated
from tests.fuzz.rounds import run_rounds

MESSAGES = 400
"""Messages of a round."""

FIRST = b'{"jsonrpc":"2.0","id":"first","method":"sidecar.status"}'
"""An undamaged request: the first byte of the input chooses the framing."""

pytestmark = pytest.mark.timeout(0)  # a round has its own; there may be any number of them


def many(random: Random) -> list[bytes]:
    return [mutated(random) for _ in range(MESSAGES)]


def header(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def check_all(sent: list[bytes], received: list[Any]) -> None:
    """Check the number of responses to these messages, and the form of each."""
    due = [responses_due(message) for message in sent]
    responses = [message for message in received if not is_notification(message)]
    check_forms(received)
    assert sum(map(min, due)) <= len(responses) <= sum(map(max, due))


def check_forms(received: list[Any]) -> None:
    for message in received:
        if not is_notification(message):
            assert message, "an empty batch"
            for response in message if isinstance(message, list) else [message]:
                check_form(response)


def is_notification(message: Any) -> bool:
    return isinstance(message, dict) and "method" in message


def check_form(response: dict[str, Any]) -> None:
    assert response.keys() in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}), response
    assert response["jsonrpc"] == "2.0"
    assert response["id"] is None or type(response["id"]) in (str, int, float)
    if "error" in response:
        assert response["error"]["data"]["kind"] != "internal_error"


def test_damaged_lines_get_exactly_the_responses_that_they_are_due() -> None:
    def check(damaged: list[bytes]) -> None:
        data = b"\n".join([FIRST, *damaged]) + b"\n"
        done = converse(data)
        sent = (line.strip(b" \t\r\n") for line in data.split(b"\n"))
        check_all([line for line in sent if line], lines(done.stdout))
        assert done.status == 0

    run_rounds(many, check)


def test_damaged_bodies_get_exactly_the_responses_that_they_are_due() -> None:
    def check(damaged: list[bytes]) -> None:
        sent = [FIRST, *damaged]
        done = converse(b"".join(map(header, sent)))
        check_all(sent, framed(done.stdout))
        assert done.status == 0

    run_rounds(many, check)


def test_damaged_headers_lead_to_nothing_but_responses() -> None:
    def damaged(random: Random) -> list[bytes]:
        frames = [header(mutated(random)) for _ in range(MESSAGES // 8)]
        at = random.randrange(len(frames))
        cut = random.randrange(30)
        frames[at] = (
            frames[at][:cut] + random.randbytes(random.randrange(8)) + frames[at][cut + 3 :]
        )
        return frames

    def check(frames: list[bytes]) -> None:
        done = converse(header(FIRST) + b"".join(frames))
        check_forms(framed(done.stdout))
        assert done.status in (0, 1)

    run_rounds(damaged, check)
