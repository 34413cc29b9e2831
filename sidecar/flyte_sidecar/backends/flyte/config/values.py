"""Values of config keys, from a text or a list of texts."""

from __future__ import annotations

import os
import re
import shlex
from typing import TypeAlias, get_args

from msgspec import json

from flyte_sidecar.backends.flyte.credentials import MASK, AuthType, Secret

Raw: TypeAlias = str | tuple[str, ...]
"""A value as it is written: a text, or a list of texts."""

_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
"""The words of YAML 1.1 and of the SDK."""

# Each function raises ValueError with what is expected, to follow the name of the key.


def text(raw: Raw) -> str:
    """Return a text."""
    if not isinstance(raw, str):
        raise ValueError("must be a text, not a list")
    return raw


def path(raw: Raw) -> str:
    """Return a path with a leading `~` expanded."""
    expanded = os.path.expanduser(text(raw))
    if expanded.startswith("~"):
        raise ValueError("must be a path whose home folder is known")
    return expanded


def boolean(raw: Raw) -> bool:
    """Return a boolean."""
    found = _BOOLEANS.get(raw.strip().lower()) if isinstance(raw, str) else None
    if found is None:
        raise ValueError("must be true or false")
    return found


def auth_type(raw: Raw) -> AuthType:
    """Return a kind of login."""
    for known in get_args(AuthType):
        if raw == known:
            return known  # type: ignore[no-any-return]  # get_args() is not typed
    raise ValueError(f"must be one of {', '.join(get_args(AuthType))}")


def command(raw: Raw) -> Secret[tuple[str, ...]]:
    """Return a program and its arguments, from a list or as a shell would split a text."""
    if isinstance(raw, tuple):
        return Secret(raw)
    arguments = _json_list(raw)
    if arguments is None:
        try:
            arguments = tuple(shlex.split(raw))
        except ValueError:
            arguments = ()
    if not arguments:
        raise ValueError("must be a list, a JSON array, or a command line with closed quotes")
    return Secret(arguments)


def words(raw: Raw) -> tuple[str, ...]:
    """Return the words of a list, a JSON array, or a text with commas or spaces."""
    if isinstance(raw, tuple):
        return raw
    listed = _json_list(raw)
    return tuple(filter(None, re.split(r"[,\s]+", raw))) if listed is None else listed


def secret(raw: Raw) -> Secret[str]:
    """Return a text that is a secret."""
    return Secret(text(raw))


def show(value: object) -> str:
    """Return a value for people, without secrets: of a command, only the program."""
    if isinstance(value, Secret):
        revealed = value.reveal()
        if isinstance(revealed, tuple):
            return " ".join([revealed[0], *([MASK] if len(revealed) > 1 else [])])
        return MASK
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _json_list(raw: str) -> tuple[str, ...] | None:
    """Return the items of a JSON array as texts; None if the text is none."""
    if not raw.lstrip().startswith("["):
        return None
    try:
        parsed = json.decode(raw)
    except (ValueError, RecursionError):
        return None
    return tuple(map(str, parsed)) if isinstance(parsed, list) else None
