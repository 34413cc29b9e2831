"""Messages of errors about invalid requests: what is wrong, where, and what is expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flyte_sidecar.errors import InvalidParams

MAX_MESSAGE_LENGTH = 300
"""Maximum length of a message that quotes what was sent."""

MAX_NAME_LENGTH = 100
"""Maximum length of a name that is quoted, or compared with known names."""

_OFFSET = re.compile(r" \(byte ([0-9]{1,18})\)$")
_NOT_NUMBERS = (b"-Infinity", b"Infinity", b"NaN")
_UNKNOWN = "Object contains unknown field `"
_MISSING = "Object missing required field `"
_AT = " - at `$"


def describe_json_error(message: bytes, error: Exception) -> str:
    """Return a sentence that says why a message is not JSON."""
    if isinstance(error, UnicodeDecodeError):
        return f"the message is not UTF-8: byte {error.start} is invalid"
    reason = str(error)
    offset = _OFFSET.search(reason)
    at = int(offset[1]) if offset else len(message)
    for token in _NOT_NUMBERS:
        if message.startswith(token, at) or message.startswith(token, max(0, at - 1)):
            text = token.decode()
            return f'the message is not JSON: {text} must be sent as the string "{text}"'
    reason = reason.removeprefix("JSON is malformed: ")
    in_part = offset is None or "trailing characters" in reason or message[:1] not in (b"{", b"[")
    expected = "; one complete JSON text per line is expected (jq -c)" if in_part else ""
    return f"the message is not JSON: {reason}{expected}"


def invalid_params(message: str, known: Sequence[str]) -> InvalidParams:
    """Return an error that points at the invalid member of params.

    Parameters
    ----------
    message
        Message of msgspec's error. It quotes names and values of any length from the client.
    known
        Names of the method's params, none of which contains another.
    """
    if message.startswith(_UNKNOWN):
        name = message[len(_UNKNOWN) :].removesuffix("`")
        what = f"unknown param {quote(name)}{suggestion(name, known)}"
        return InvalidParams(what, path="/" + _escaped(name))
    if message.startswith(_MISSING):
        name = message[len(_MISSING) :].removesuffix("`")
        return InvalidParams(f"`{name}` is required", path="/" + _escaped(name))
    # The path comes last and consists of known names, while a value may quote anything.
    what, at, path = message.rpartition(_AT)
    if not at:
        return InvalidParams(f"params must be passed by name, as an object: {message}", path="")
    if " matching regex " in what:
        what = "Contains characters that are not allowed"
    pointer = path.removesuffix("`").replace(".", "/").replace("[", "/").replace("]", "")
    if len(what) > MAX_MESSAGE_LENGTH:
        what = what[:MAX_MESSAGE_LENGTH] + "..."
    return InvalidParams(f"{what} at {pointer}", path=pointer)


def quote(name: str) -> str:
    """Return a name of any length, quoted and truncated."""
    return repr(name if len(name) <= MAX_NAME_LENGTH else name[:MAX_NAME_LENGTH] + "...")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` if a known name is close."""
    if len(name) > MAX_NAME_LENGTH:
        return ""
    import difflib

    plain = {_plain(one): one for one in known}
    close = difflib.get_close_matches(_plain(name), plain, 1, 0.75)
    return f"; did you mean {plain[close[0]]!r}?" if close else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
