"""Numbers with their nouns."""

from __future__ import annotations


def quantity(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def events_wait(number: int) -> str:
    """Return that so many events wait."""
    return f"{quantity(number, 'event')} {'waits' if number == 1 else 'wait'}"
