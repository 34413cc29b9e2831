"""A clock that tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Stands still at `start`, or is the real one where there is none, but for what passed."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._passed = timedelta()

    def __call__(self) -> datetime:
        return (self._start or datetime.now(UTC)) + self._passed

    def pass_time(self, seconds: float) -> None:
        self._passed += timedelta(seconds=seconds)
