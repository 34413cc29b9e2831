"""The resync and poll intervals of a run: long while a stream reports its changes.

All informers of a connection share its rates, so that more idle runs do not mean more calls. A
run that has just changed may change again soon: intervals start short, and grow.
"""

from __future__ import annotations

import asyncio
import random
from math import inf
from time import monotonic

from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter
from flyte_sidecar.backends.flyte.timing import Timing

JITTER = (0.9, 1.1)
"""Factors of an interval that spread the calls of many runs over time."""

SPREAD = (0.5, 1.5)
"""Factors of an interval that results from a shared rate: all runs may start at once."""

CONCURRENT_RESYNCS = 32
"""Runs that are listed concurrently."""


class SharedRates:
    """The rates of calls that the informers of one connection share.

    Attributes
    ----------
    runs
        How many runs are followed.
    unreported_answers
        How many events have answers that neither streams nor listings report.
    resyncs
        Limits how many runs are listed concurrently.
    """

    def __init__(self, streams: StreamLimiter, timing: Timing) -> None:
        self.streams = streams
        self.timing = timing
        self.runs = 0
        self.unreported_answers = 0
        self.resyncs = asyncio.Semaphore(CONCURRENT_RESYNCS)
        self._resync_often_until = 0.0

    def record_database_loss(self) -> None:
        """Resync all runs more often for some time: open streams may miss changes."""
        self._resync_often_until = monotonic() + self.timing.database_loss_period

    @property
    def resyncs_per_second(self) -> float:
        """The rate of the resyncs of all runs together for which a stream is open."""
        often = monotonic() < self._resync_often_until
        return self.timing.polls_per_second if often else self.timing.resyncs_per_second

    @property
    def retry_interval(self) -> float:
        """The minimum delay in seconds before a run is retried, with jitter."""
        jitter = random.uniform(0.5, 1.0)  # noqa: S311  jitter is no secret
        return self.runs / self.timing.polls_per_second * jitter


class Schedule:
    """The intervals of one run, in seconds."""

    def __init__(self, rates: SharedRates) -> None:
        self._rates = rates
        self._timing = rates.timing
        self._interval = self._timing.poll_interval
        self._active = False
        self._unreported = 0
        self._new_jitter()
        rates.runs += 1

    def close(self) -> None:
        """Remove the run from the shared rates."""
        self._rates.runs -= 1
        self._rates.unreported_answers -= self._unreported

    def changed(self) -> None:
        """Return to the shortest intervals."""
        self._interval = self._timing.poll_interval
        self._active = True

    def polled(self) -> None:
        """Extend the poll interval."""
        grown = self._interval * self._timing.interval_growth
        self._interval = min(self._timing.resync_interval, grown)

    def resynced(self, *, streaming: bool) -> None:
        """Return to the resync interval of an idle run; without a stream a resync is a poll."""
        self._active = False
        if not streaming:
            self.polled()
        self._new_jitter()

    def resync(self, streaming: bool, rows: int) -> float:
        """Return the interval between resyncs of the run, which has so many rows."""
        streams, timing = self._rates.streams, self._timing
        if streaming:
            shared = 0.0 if self._active else streams.open / self._rates.resyncs_per_second
            return self._with_jitter(timing.resync_interval, shared)
        return self._with_jitter(
            self._interval,
            streams.runs_without_stream / timing.polls_per_second,
            rows / timing.rows_per_second,
        )

    def poll(self, unreported: int) -> float:
        """Return the interval between polls of the run's events whose answers are not reported."""
        self._rates.unreported_answers += unreported - self._unreported
        self._unreported = unreported
        if not unreported:
            return inf
        return self._with_jitter(
            self._interval, self._rates.unreported_answers / self._timing.polls_per_second
        )

    def _with_jitter(self, interval: float, *shared: float) -> float:
        return max(interval * self._jitter, *(least * self._spread for least in shared))

    def _new_jitter(self) -> None:
        self._jitter = random.uniform(*JITTER)  # noqa: S311  jitter is no secret
        self._spread = random.uniform(*SPREAD)  # noqa: S311
