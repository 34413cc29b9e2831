"""Timestamps and deadlines, including those that Python cannot represent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flyte_sidecar.backends.flyte.rpc.event_conversion import (
    event_from_listing,
    event_to_action,
)
from flyte_sidecar.backends.flyte.rpc.listed_action import listed_action
from flyte_sidecar.protocol.results import encode
from tests.backends.flyte.flyte_messages import (
    CREATED_SECOND,
    RUN,
    event_of,
    make_action,
    make_event,
)


def test_timestamps_keep_their_microseconds_in_any_year() -> None:
    for instant in (
        datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ):
        action = event_to_action(make_event(created_at=instant))
        assert action.status.start_time.ToDatetime(UTC) == instant


@pytest.mark.parametrize("seconds", [0, 2**63 - 1, -(2**63), 253402300800, -62135596801])
@pytest.mark.parametrize("nanos", [0, 999_999_999])
def test_a_timestamp_that_is_unset_or_out_of_range_is_ignored(seconds: int, nanos: int) -> None:
    status = {
        "phase": 5,
        "start_time": {"seconds": seconds, "nanos": nanos},
        "end_time": {"seconds": seconds, "nanos": nanos},
    }
    for event in (
        event_from_listing(listed_action(make_action(status=status), RUN), None),
        event_of(status=status),
    ):
        assert (event.created_at, event.ended_at, event.expires_at) == (None, None, None)
        assert not event.pending


@pytest.mark.parametrize("nanos", [-1, -(2**31), 10**9, 2**31 - 1])
def test_nanoseconds_out_of_range_are_no_error(nanos: int) -> None:
    start = {"seconds": 1, "nanos": nanos}
    event = event_of(status={"phase": 9, "start_time": start}, condition={"timeout": start})
    encode(event)


def test_the_first_and_the_last_second_in_range_are_converted() -> None:
    for year, seconds in (1, -62135596800), (9999, 253402300799):
        status = {"phase": 9, "start_time": {"seconds": seconds}}
        created_at = event_of(status=status).created_at
        assert created_at is not None
        assert created_at.year == year
        assert b"T" in encode(event_of(status=status))


@pytest.mark.parametrize(
    ("seconds", "nanos", "expires"),
    [
        (0, 0, None),
        (1, 0, timedelta(seconds=1)),
        (90, 500_000_000, timedelta(seconds=90.5)),
        (0, 1_000, timedelta(microseconds=1)),
        (10**9, 0, timedelta(seconds=10**9)),
        (10**12, 0, None),
        (2**63 - 1, 999_999_999, None),
        (-1, 0, None),
        (0, -1_000, None),
        (-(2**63), -999_999_999, None),
    ],
)
def test_the_deadline_counts_from_the_second_of_creation(
    seconds: int, nanos: int, expires: timedelta | None
) -> None:
    event = event_of(condition={"timeout": {"seconds": seconds, "nanos": nanos}})
    assert event.expires_at == (None if expires is None else CREATED_SECOND + expires)
    assert event.pending
