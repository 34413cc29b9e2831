"""What checks expect of responses."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.messages import Message, compact, error_code, parse, same_id

MAX_SHOWN = 160
"""Characters of a message in a detail."""


def show(messages: Message) -> str:
    """Return messages for a detail."""
    if messages == []:
        return "nothing"
    if isinstance(messages, list) and len(messages) == 1 and isinstance(messages[0], dict):
        messages = messages[0]
    text = compact(messages)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def expect_one(responses: Sequence[Message], what: str = "one response") -> Message:
    """Return the only response, which is no array.

    Raises
    ------
    Violation
        If there are none, several, or an array.
    """
    if len(responses) != 1 or not isinstance(responses[0], dict):
        raise Violation(f"expected {what}, got {show([*responses])}")
    return responses[0]


def expect_none(responses: Sequence[Message]) -> None:
    """Raise `Violation` if there is a response."""
    if responses:
        raise Violation(f"expected no response, got {show([*responses])}")


def expect_error(responses: Sequence[Message], *codes: int, ids: Sequence[str] = ("null",)) -> None:
    """Verify that the only response is an error.

    Parameters
    ----------
    codes
        The codes that it may have; none: any.
    ids
        The ids that it may have, as JSON.

    Raises
    ------
    Violation
        If it is anything else.
    """
    wanted = " or ".join(map(str, codes))
    what = f"the error {wanted} with id {' or '.join(ids)}".replace("error  with", "error with")
    response = expect_one(responses, what)
    code = error_code(response)
    if not isinstance(code, Decimal) or (codes and code not in codes):
        raise Violation(f"expected {what}, got {show(response)}")
    if not any(same_id(response.get("id"), parse(each.encode())) for each in ids):
        raise Violation(f"expected {what}, got {show(response)}")


def expect_id(response: Message, request_id: str) -> None:
    """Raise `Violation` if the id of a response is not that of the request, a JSON text."""
    if "id" not in response or not same_id(response["id"], parse(request_id.encode())):
        raise Violation(f"expected the id {request_id[:80]}, got {show(response)}")
