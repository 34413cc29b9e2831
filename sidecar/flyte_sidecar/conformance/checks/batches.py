"""Batches: arrays of requests, and the arrays of their responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyte_sidecar.conformance.check import Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_error, expect_none, show
from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.messages import (
    INVALID_REQUEST,
    PARSE_ERROR,
    Message,
    compact,
    error_code,
    request_text,
)
from flyte_sidecar.conformance.target import UNKNOWN_METHOD

BATCHES = Group(
    "batches", source="JSON-RPC 6, 7", not_in_lsp="its base protocol defines no batches"
)

LARGE = 200
"""Requests in a large batch."""

INVALID = "invalid"
"""Stands for the response to an invalid request: the error -32600 with id null."""

NOTIFICATION = request_text(UNKNOWN_METHOD, "[7]", None)


def _array(*texts: bytes) -> bytes:
    return b"[" + b",".join(texts) + b"]"


def _expect_array(responses: Sequence[Message], expected: Sequence[str]) -> None:
    """Verify that there is one array with the responses for these ids, in any order."""
    if len(responses) != 1 or not isinstance(responses[0], list):
        raise Violation(f"expected one array of {len(expected)}, got {show([*responses])}")
    found = sorted(map(_key, responses[0]))
    if found != sorted(expected):
        wanted = ", ".join(expected) if len(expected) <= 8 else f"{len(expected)} ids"
        raise Violation(f"expected responses for {wanted}, got {show(responses[0])}")


def _key(response: Any) -> str:
    if not isinstance(response, dict):
        return compact(response)
    is_invalid = response.get("id") is None and error_code(response) == INVALID_REQUEST
    return INVALID if is_invalid else compact(response.get("id"))


@BATCHES.must("requests", "a batch of requests gets one array with a response for each")
def _requests(server: Connection) -> None:
    ids = [server.new_id(), "17", server.new_id()]
    _expect_array(server.exchange(_array(*map(server.probe_text, ids))), ids)


@BATCHES.must("one", "a batch of one request gets an array of one")
def _one(server: Connection) -> None:
    request_id = server.new_id()
    _expect_array(server.exchange(_array(server.probe_text(request_id))), [request_id])


@BATCHES.must("empty", "an empty batch gets one -32600 with id null, not in an array")
def _empty(server: Connection) -> None:
    expect_error(server.exchange(b"[]"), INVALID_REQUEST)


@BATCHES.must("notifications", "a batch of notifications is not answered, not with [] either")
def _notifications(server: Connection) -> None:
    expect_none(server.exchange(_array(NOTIFICATION, NOTIFICATION), expected=0))


@BATCHES.must("mixed", "notifications in a batch have no entry in the response")
def _mixed(server: Connection) -> None:
    ids = [server.new_id(), server.new_id()]
    first, second = map(server.probe_text, ids)
    _expect_array(server.exchange(_array(first, NOTIFICATION, second)), ids)


@BATCHES.must("not-json", "a batch that is not JSON gets one -32700, not in an array")
def _not_json(server: Connection) -> None:
    text = _array(server.probe_text(server.new_id()), b'{"jsonrpc": "2.0", "method"')
    expect_error(server.exchange(text), PARSE_ERROR)


@BATCHES.must("invalid-one", "[1] gets an array of one -32600")
def _invalid_one(server: Connection) -> None:
    _expect_array(server.exchange(b"[1]"), [INVALID])


@BATCHES.must("invalid", "[1,2,3] gets an array of three -32600")
def _invalid(server: Connection) -> None:
    _expect_array(server.exchange(b"[1,2,3]"), [INVALID] * 3)


@BATCHES.must("invalid-between", "an invalid entry gets -32600, and the others are answered")
def _invalid_between(server: Connection) -> None:
    ids = [server.new_id(), server.new_id()]
    first, second = map(server.probe_text, ids)
    _expect_array(server.exchange(_array(first, b'{"foo": "boo"}', second)), [*ids, INVALID])


@BATCHES.should("nested", "an array in a batch gets -32600: batches are not nested")
def _nested(server: Connection) -> None:
    request_id = server.new_id()
    inner = _array(server.probe_text(server.new_id()))
    found = server.exchange(_array(inner, server.probe_text(request_id)))
    _expect_array(found, [INVALID, request_id])


@BATCHES.should("large", f"all {LARGE} requests of a batch are answered")
def _large(server: Connection) -> None:
    ids = [server.new_id() for _ in range(LARGE)]
    _expect_array(server.exchange(_array(*map(server.probe_text, ids))), ids)
