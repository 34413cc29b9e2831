"""The intervals, timeouts and rates of the backend; tests shorten them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from flyte_sidecar._backoff import backoff


def now() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


class Timing(Struct, frozen=True, kw_only=True):
    """Intervals, timeouts and delays in seconds; rates per second.

    Attributes
    ----------
    now
        The clock of this machine.
    max_clock_skew
        Maximum difference between that clock and the backend's.
    call_timeout, health_timeout
        Timeout of each attempt at a call, and of a call that only checks the connection.
    retry_delay, max_retry_delay
        Longest delay before a first retry, which doubles with each failure, and its maximum.
    read_back_timeout
        Timeout of reading an event back after a write that succeeded.
    record_delays
        Delays before each read of an event whose record lags behind a write.
    row_freshness
        How long a listed row proves that an event is still pending.
    snapshot_timeout, snapshot_gap
        Timeout of the first actions of a stream that is read for names, and of further ones.
    poll_interval
        Shortest interval between polls of what no stream covers; it grows to the resync interval
        while nothing changes.
    resync_interval
        Interval between resyncs of a run with a stream that has just changed; it is longer for
        idle runs (`resyncs_per_second`). With jitter, a lost change is found within 15 seconds.
    interval_growth
        The factor by which an interval grows while nothing changes.
    resyncs_per_second
        Rate of the resyncs of all idle runs together for which a stream is open.
    polls_per_second
        Rate of the polls of all runs and events that no stream covers.
    rows_per_second
        Rate of the rows that are listed in the polls of one run.
    database_loss_period
        How long open streams may miss changes after the backend lost its database: it reconnects
        within a minute.
    names_timeout
        How long a stream may take to report names and types before details are fetched instead.
    event_retry_interval
        Interval between retries of a single event that cannot be read.
    stream_lifetime
        A stream that breaks sooner counts as failed.
    stream_interval
        Interval between attempts to open a stream while the limit is reached.
    inbox_interval, max_inbox_interval
        Shortest and longest interval between polls for runs with pending events.
    runs_per_second
        Rate of the runs that are listed in the complete listings of an inbox.
    unknown_run_interval
        Interval between checks whether a watched run exists.
    login_timeout
        Time for a person to finish a login.
    login_linger
        How long a login is still shown after the last request that waits for it was cancelled.
    login_retry_interval
        How long requests fail at once after a login that a person did not finish.
    stored_login_interval
        Interval between checks, while a person is asked, whether another process stored a login. So
        long, a request waits for a person whom another process asks, before the log says so.
    device_poll_interval, device_slow_down
        Interval between checks whether a login on another device is finished, unless the identity
        provider asks for another, and how much it grows if the provider asks for that.
    """

    now: Callable[[], datetime] = now
    max_clock_skew: float = 60.0
    call_timeout: float = 20.0
    health_timeout: float = 5.0
    retry_delay: float = 0.2
    max_retry_delay: float = 5.0
    read_back_timeout: float = 2.0
    record_delays: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
    row_freshness: float = 15.0
    snapshot_timeout: float = 20.0
    snapshot_gap: float = 2.0
    poll_interval: float = 1.0
    resync_interval: float = 13.0
    interval_growth: float = 1.5
    resyncs_per_second: float = 1.0
    polls_per_second: float = 75.0
    rows_per_second: float = 1000.0
    database_loss_period: float = 75.0
    names_timeout: float = 2.0
    event_retry_interval: float = 13.0
    stream_lifetime: float = 10.0
    stream_interval: float = 10.0
    inbox_interval: float = 1.0
    max_inbox_interval: float = 13.0
    runs_per_second: float = 100.0
    unknown_run_interval: float = 5.0
    login_timeout: float = 300.0
    login_linger: float = 30.0
    login_retry_interval: float = 60.0
    stored_login_interval: float = 5.0
    device_poll_interval: float = 5.0
    device_slow_down: float = 5.0

    def backoff(self, failures: int) -> float:
        """Return the delay in seconds before a retry after consecutive failures, with jitter.

        `rpc.retry` decides which calls are retried.
        """
        return backoff(failures, self.retry_delay, self.max_retry_delay)
