"""The number of responses that JSON-RPC and the contract require for a message.

This is a second implementation of the rules, based on Python's JSON parser, so that it does not
repeat a mistake of the sidecar.
"""

from __future__ import annotations

import json
from typing import Any

NONE, ONE, EITHER = {0}, {1}, {0, 1}

MAX_BATCH = 1000


class _NotJson(Exception):
    pass


def _refuse(word: str) -> Any:
    raise _NotJson


def expected_responses(message: bytes) -> set[int]:
    """Return the correct numbers of responses to one message, without its framing."""
    try:
        text = message.decode()
        parsed = json.loads(
            text,
            parse_constant=_refuse,
            parse_int=float,  # the values of numbers do not matter
            object_pairs_hook=_Object,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, _NotJson):
        return ONE
    except RecursionError:
        return EITHER
    if not isinstance(parsed, list):
        return _of_one(parsed)
    if not 0 < len(parsed) <= MAX_BATCH:
        return ONE
    return _sum_of_batch([_of_one(entry) for entry in parsed])


def _sum_of_batch(entries: list[set[int]]) -> set[int]:
    """Return the number of arrays for a batch: none if no entry requires a response."""
    if ONE in entries:
        return ONE
    return EITHER if EITHER in entries else NONE


class _Object(dict[str, Any]):
    """An object that records whether a member occurs twice, which parsers treat differently."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = len(self) < len(pairs)


def _of_one(message: Any) -> set[int]:
    if not isinstance(message, _Object):
        return ONE
    if message.repeated:
        return EITHER
    method = message.get("method")
    if method is None and ("result" in message or "error" in message):
        return NONE  # a response
    if "id" in message or message.get("jsonrpc") != "2.0" or not isinstance(method, str):
        return ONE
    return NONE if _encodable(message) else EITHER


def _encodable(message: dict[str, Any]) -> bool:
    """Return whether all strings can be encoded; if not, the contract allows both."""
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
