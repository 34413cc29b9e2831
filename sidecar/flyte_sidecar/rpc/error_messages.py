"""What to say of a message that cannot be read: what is wrong, where, and what is expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flyte_sidecar.errors import InvalidParams

MAX_MESSAGE = 300
"""Characters of an error's message that quotes what was sent."""

MAX_NAME = 100
"""Characters of a name that is quote, or compared with known ones."""

_OFFSET = re.compile(r" \(byte ([0-9]{1,18})\)$")
_NOT_NUMBERS = (b"-Infinity", b"Infinity", b"NaN")
_UNKNOWN = "Object contains unknown field `"
_MISSING = "Object missing required field `"
_PLACE = " - at `$"


def describe_json_error(message: bytes, error: Exception) -> str:
    """Explain why a message is not a JSON text."""
    if isinstance(error, UnicodeDecodeError):
        return f"the message is not UTF-8: byte {error.start} is invalid"
    said = str(error)
    offset = _OFFSET.search(said)
    at = int(offset[1]) if offset else len(message)
    for token in _NOT_NUMBERS:
        if message.startswith(token, at) or message.startswith(token, max(0, at - 1)):
            word = token.decode()
            return f'the message is not JSON: {word} must be sent as the string "{word}"'
    why = said.removeprefix("JSON is malformed: ")
    in_part = offset is None or "trailing characters" in why or message[:1] not in (b"{", b"[")
    expected = "; one whole JSON text per line is expected (jq -c)" if in_part else ""
    return f"the message is not JSON: {why}{expected}"


def invalid_params(said: str, known: Sequence[str]) -> InvalidParams:
    """Turn what msgspec says of params into an error that points at the culprit.

    Parameters
    ----------
    said
        What msgspec says. It quotes names and values of any length that the client chose.
    known
        The names of the method's params, which are never nested in one another.
    """
    if said.startswith(_UNKNOWN):
        name = said[len(_UNKNOWN) :].removesuffix("`")
        what = f"unknown param {quote(name)}{suggestion(name, known)}"
        return InvalidParams(what, path="/" + _escaped(name))
    if said.startswith(_MISSING):
        name = said[len(_MISSING) :].removesuffix("`")
        return InvalidParams(f"`{name}` is required", path="/" + _escaped(name))
    # The place comes last and is made of known names, while a value may quote anything.
    what, place, path = said.rpartition(_PLACE)
    if not place:
        return InvalidParams(f"params are passed by name, as an object: {said}", path="")
    if " matching regex " in what:
        what = "Contains characters that are not allowed"
    pointer = path.removesuffix("`").replace(".", "/").replace("[", "/").replace("]", "")
    if len(what) > MAX_MESSAGE:
        what = what[:MAX_MESSAGE] + "..."
    return InvalidParams(f"{what} at {pointer}", path=pointer)


def quote(name: str) -> str:
    """Quote a name that may have any length."""
    return repr(name if len(name) <= MAX_NAME else name[:MAX_NAME] + "...")


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean ...?` if a known name is close."""
    if len(name) > MAX_NAME:
        return ""
    import difflib

    plain = {_plain(one): one for one in known}
    close = difflib.get_close_matches(_plain(name), plain, 1, 0.75)
    return f"; did you mean {plain[close[0]]!r}?" if close else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
