"""Which names and texts a Flyte backend can store."""

from __future__ import annotations

from flyte_sidecar.events.model import Target


def target_may_exist(target: Target) -> bool:
    """Return whether an event can have these names."""
    if not is_valid_name(target.run.name):
        return False
    if target.action_name is not None:
        return is_valid_name(target.action_name)
    # The name of an event may be empty.
    return target.name is not None and is_storable_text(target.name)


def is_valid_name(text: str) -> bool:
    """Return whether a run or an action can have this name."""
    return bool(text) and is_storable_text(text)


def is_storable_text(text: str) -> bool:
    """Return whether the backend can store a text; a request with another one would fail."""
    try:
        return "\0" not in text and text.encode() is not None
    except UnicodeEncodeError:
        return False
