"""What differs from one recording to the next, replaced by what would do as well."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

FIRST = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _instant(place: int) -> str:
    return (FIRST + timedelta(seconds=place)).strftime("%Y-%m-%dT%H:%M:%SZ")


_VARYING: tuple[tuple[str, Callable[[int], str]], ...] = (
    (r"\be[0-9a-f]{16}\b", lambda place: f"e{place + 1:016}"),
    (r"\b\d{4}-\d\d-\d\dT[\d:.]+Z", _instant),
    (r'(?<="signalledBy":")[^"]+', lambda _: "user"),
    (r'(?<="uptimeSeconds":)[\d.]+', lambda _: "1.5"),
    (r'(?<="nextCursor":")[^"]+', lambda place: f"cursor-{place + 1}"),
    (r'(?<="cursor":")[^"]+', lambda place: f"cursor-{place + 1}"),
    (r'(?<="version":")[^"]+', lambda _: "0.1.0"),
)


def normal(text: str) -> str:
    """Give compact JSON with each such word replaced, the same one always by the same."""
    for pattern, replacement in _VARYING:
        places: dict[str, int] = {}

        def replaced(
            match: re.Match[str],
            places: dict[str, int] = places,
            replacement: Callable[[int], str] = replacement,
        ) -> str:
            return replacement(places.setdefault(match[0], len(places)))

        text = re.sub(pattern, replaced, text)
    return text
