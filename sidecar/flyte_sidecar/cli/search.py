"""Whether an event contains what the user searches for."""

from __future__ import annotations

from collections.abc import Sequence

from flyte_sidecar.events.model import Event


def words_of(text: str) -> list[str]:
    """Return the words of a typed text, for `contains`."""
    return text.casefold().split()


def contains(event: Event, words: Sequence[str]) -> bool:
    """Return whether the names, type or prompt of an event contain all words, in any case."""
    if not words:
        return True
    members = (event.name, event.run_name, event.expected_type, event.project, event.prompt)
    text = "\n".join(member for member in members if member).casefold()
    return all(word in text for word in words)
