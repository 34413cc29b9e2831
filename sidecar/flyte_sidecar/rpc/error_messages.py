"""Error messages about invalid requests: what is wrong, where, and what is expected."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flyte_sidecar._suggestions import suggestion
from flyte_sidecar.errors import InvalidParams

MAX_MESSAGE_LENGTH = 300
"""Maximum length of an error message that quotes the request."""

MAX_NAME_LENGTH = 100
"""Maximum length of a name that is quoted."""

_OFFSET = re.compile(r" \(byte ([0-9]{1,18})\)$")
_NOT_NUMBERS = (b"-Infinity", b"Infinity", b"NaN")
_UNKNOWN = "Object contains unknown field `"
_MISSING = "Object missing required field `"
_AT = " - at `$"
_AT_ITEM = re.compile(r" - at `\$(\.[A-Za-z]+\[[0-9]+\])`$")


def describe_json_error(message: bytes, error: Exception) -> str:
    """Return an error message for a message that is not JSON."""
    if isinstance(error, UnicodeDecodeError):
        return f"the message is not UTF-8: byte {error.start} is invalid"
    reason = str(error)
    offset = _OFFSET.search(reason)
    position = int(offset[1]) if offset else len(message)
    for token in _NOT_NUMBERS:
        if message.startswith(token, position) or message.startswith(token, max(0, position - 1)):
            text = token.decode()
            return f'the message is not JSON: {text} must be sent as the string "{text}"'
    reason = reason.removeprefix("JSON is malformed: ")
    incomplete = (
        offset is None or "trailing characters" in reason or message[:1] not in (b"{", b"[")
    )
    expected = "; one complete JSON text per line is expected (jq -c)" if incomplete else ""
    return f"the message is not JSON: {reason}{expected}"


def invalid_params(message: str, params: Sequence[str]) -> InvalidParams:
    """Return an error that points at the invalid member of params.

    Parameters
    ----------
    message
        Message of msgspec's error. It quotes names and values of any length from the client.
    params
        Names of the method's params. None contains another.
    """
    if message.startswith((_UNKNOWN, _MISSING)):
        return _unknown_or_missing(message, params)
    # The path is at the end and consists of param names; a quoted value may contain anything.
    problem, separator, path = message.rpartition(_AT)
    if not separator:
        return InvalidParams(f"params must be passed by name, as an object: {message}", path="")
    if " matching regex " in problem:
        problem = "Contains characters that are not allowed"
    pointer = _pointer(path.removesuffix("`"))
    if len(problem) > MAX_MESSAGE_LENGTH:
        problem = problem[:MAX_MESSAGE_LENGTH] + "..."
    return InvalidParams(f"{problem} at {pointer}", path=pointer)


def _unknown_or_missing(message: str, params: Sequence[str]) -> InvalidParams:
    item = _AT_ITEM.search(message)  # it is a member of an item of a list, rather than a param
    parent = "" if item is None else _pointer(item[1])
    where = parent and f" at {parent}"
    name = message[: None if item is None else item.start()].partition("`")[2].removesuffix("`")
    path = f"{parent}/{_escaped(name)}"
    if message.startswith(_MISSING):
        return InvalidParams(f"`{name}` is required{where}", path=path)
    hint = "" if parent else suggestion(name, params)
    return InvalidParams(f"unknown param {quote(name)}{where}{hint}", path=path)


def quote(name: str) -> str:
    """Return a name of any length, quoted and truncated."""
    return repr(name if len(name) <= MAX_NAME_LENGTH else name[:MAX_NAME_LENGTH] + "...")


def _pointer(path: str) -> str:
    """Return the JSON Pointer of a path such as `.events[0].runName`."""
    return path.replace(".", "/").replace("[", "/").replace("]", "")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
