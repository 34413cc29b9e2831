"""How many responses a message is due, by JSON-RPC and the contract alone.

This is a second reading of the rules, on Python's own JSON parser, so that a mistake of the
sidecar's reading is not repeated here.
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


def responses_due(message: bytes) -> set[int]:
    """Return the numbers of responses that are right for one message, framing removed."""
    try:
        text = message.decode()
        parsed = json.loads(
            text,
            parse_constant=_refuse,
            parse_int=float,  # numbers matter only by their being numbers
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
    """Return what the one array of a batch is due: nothing only if no entry is due anything."""
    if ONE in entries:
        return ONE
    return EITHER if EITHER in entries else NONE


class _Object(dict[str, Any]):
    """An object that remembers whether a member came twice: readers differ on which one counts."""

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
    """Return whether no string has an unpaired surrogate: where it is, the contract leaves open."""
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
