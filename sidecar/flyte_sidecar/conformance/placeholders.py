"""The values in transcripts that stand for others, which differ between two conversations."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

FIRST_TIMESTAMP = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _timestamp(number: int) -> str:
    return (FIRST_TIMESTAMP + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


_VARYING: tuple[tuple[str, Callable[[int], str]], ...] = (
    (r"\be[0-9a-f]{16}\b", lambda number: f"e{number + 1:016}"),
    (r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", _timestamp),
    (r'(?<="signalledBy":")[^"]+', lambda _: "user"),
    (r'(?<="uptimeSeconds":)[\d.]+', lambda _: "1.5"),
    (r'(?<="nextCursor":")[^"]+', lambda number: f"cursor-{number + 1}"),
    (r'(?<="cursor":")[^"]+', lambda number: f"cursor-{number + 1}"),
    (r'(?<="version":")[^"]+', lambda _: "0.1.0"),
)


_SHARED = re.compile(r"e\d{16}|cursor-\d+")
"""Values that stand for one and the same value wherever they occur."""

_FREE = re.compile(r"2026-01-02T03:\d\d:\d\dZ")
"""Values that stand for any timestamp."""

FREE_MEMBERS = {"signalledBy", "uptimeSeconds", "version", "message", "serverInfo", "counters"}
"""Members whose values other implementations of the protocol choose."""


def is_shared(value: str) -> bool:
    """Return whether a string in a transcript stands for another one, everywhere the same."""
    return _SHARED.fullmatch(value) is not None


def is_timestamp(value: str) -> bool:
    """Return whether a string in a transcript stands for a timestamp."""
    return _FREE.fullmatch(value) is not None


def normalize(text: str) -> str:
    """Return compact JSON with such values replaced, equal ones by equal ones."""
    for pattern, replacement in _VARYING:
        numbers: dict[str, int] = {}

        def replace(
            match: re.Match[str],
            numbers: dict[str, int] = numbers,
            replacement: Callable[[int], str] = replacement,
        ) -> str:
            return replacement(numbers.setdefault(match[0], len(numbers)))

        text = re.sub(pattern, replace, text)
    return text
