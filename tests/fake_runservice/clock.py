"""A clock that tests advance."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Stops at `start`, or follows the real clock if there is none; `pass_time` advances it."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start
        self._passed = timedelta()

    def __call__(self) -> datetime:
        return (self._start or datetime.now(UTC)) + self._passed

    def pass_time(self, seconds: float) -> None:
        self._passed += timedelta(seconds=seconds)
