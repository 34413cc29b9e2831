"""Any input leads to valid output, and to exactly one response per request."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.fuzz.expected_responses import expected_responses
from tests.fuzz.mutation import mutated_message
from tests.fuzz.process import framed, lines, run_sidecar
from tests.fuzz.rounds import run_rounds

MESSAGES = 400
"""Messages per round."""

FIRST = b'{"jsonrpc":"2.0","id":"first","method":"sidecar.status"}'
"""A valid request: the first byte of the input selects the framing."""

pytestmark = pytest.mark.timeout(
    0
)  # each process has its own timeout, and the number of rounds varies


def many(random: Random) -> list[bytes]:
    return [mutated_message(random) for _ in range(MESSAGES)]


def header(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def check_all(sent: list[bytes], received: list[Any]) -> None:
    """Check the number and the form of the responses to these messages."""
    expected = [expected_responses(message) for message in sent]
    responses = [message for message in received if not is_notification(message)]
    check_forms(received)
    assert sum(map(min, expected)) <= len(responses) <= sum(map(max, expected))


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


def test_mutated_lines_get_exactly_the_responses_that_the_rules_require() -> None:
    def check(mutated: list[bytes]) -> None:
        data = b"\n".join([FIRST, *mutated]) + b"\n"
        done = run_sidecar(data)
        sent = (line.strip(b" \t\r\n") for line in data.split(b"\n"))
        check_all([line for line in sent if line], lines(done.stdout))
        assert done.status == 0

    run_rounds(many, check)


def test_mutated_bodies_get_exactly_the_responses_that_the_rules_require() -> None:
    def check(mutated: list[bytes]) -> None:
        sent = [FIRST, *mutated]
        done = run_sidecar(b"".join(map(header, sent)))
        check_all(sent, framed(done.stdout))
        assert done.status == 0

    run_rounds(many, check)


def test_mutated_headers_lead_to_nothing_but_responses() -> None:
    def mutated_frames(random: Random) -> list[bytes]:
        frames = [header(mutated_message(random)) for _ in range(MESSAGES // 8)]
        at = random.randrange(len(frames))
        cut = random.randrange(30)
        frames[at] = (
            frames[at][:cut] + random.randbytes(random.randrange(8)) + frames[at][cut + 3 :]
        )
        return frames

    def check(frames: list[bytes]) -> None:
        done = run_sidecar(header(FIRST) + b"".join(frames))
        check_forms(framed(done.stdout))
        assert done.status in (0, 1)

    run_rounds(mutated_frames, check)
