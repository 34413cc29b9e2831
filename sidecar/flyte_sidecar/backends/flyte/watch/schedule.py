"""When to ask the backend about a run again: seldom while a stream reports its changes.

All informers of a connection share its rates, so that none of them adds to the load of an idle
deployment. What changed a moment ago may change again soon: an interval begins short, and grows.
"""

from __future__ import annotations

import asyncio
import random
from time import monotonic

from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter
from flyte_sidecar.backends.flyte.timing import Timing

JITTER = (0.9, 1.1)
"""Factors of an interval, so that nothing is done in step."""

SPREAD = (0.5, 1.5)
"""Factors of an interval that is long because many share a rate: they may begin all at once."""

CONCURRENT_RESYNCS = 32
"""Runs that are listed at once."""


class Load:
    """What the informers of one connection ask of the backend.

    Attributes
    ----------
    runs
        How many runs are followed.
    hidden
        How many events have answers that neither streams nor listings report.
    resyncs
        Limits the runs that are listed at once.
    """

    def __init__(self, streams: StreamLimiter, timing: Timing) -> None:
        self.streams = streams
        self.timing = timing
        self.runs = 0
        self.hidden = 0
        self.resyncs = asyncio.Semaphore(CONCURRENT_RESYNCS)
        self._distrusted_until = 0.0

    def distrust_streams(self) -> None:
        """Resync all runs often for a while: their streams may miss changes."""
        self._distrusted_until = monotonic() + self.timing.distrust_streams

    @property
    def resyncs_per_second(self) -> float:
        """The rate of the resyncs of all runs together for which a stream is open."""
        distrusted = monotonic() < self._distrusted_until
        return self.timing.polls_per_second if distrusted else self.timing.resyncs_per_second

    @property
    def retry_interval(self) -> float:
        """The shortest delay in seconds before another attempt to follow a run, with jitter."""
        jitter = random.uniform(0.5, 1.0)  # noqa: S311  jitter is no secret
        return self.runs / self.timing.polls_per_second * jitter


class Schedule:
    """The intervals of one run, in seconds."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._timing = load.timing
        self._interval = self._timing.poll_interval
        self._active = False
        self._hidden = 0
        self._draw()
        load.runs += 1

    def close(self) -> None:
        """Take the run's share from the load."""
        self._load.runs -= 1
        self._load.hidden -= self._hidden

    def changed(self) -> None:
        """Start over with the shortest intervals."""
        self._interval = self._timing.poll_interval
        self._active = True

    def polled(self) -> None:
        """Let the poll interval grow."""
        grown = self._interval * self._timing.interval_growth
        self._interval = min(self._timing.resync_interval, grown)

    def resynced(self, *, streaming: bool) -> None:
        """Return to the resync interval of an idle run; without a stream a resync is a poll."""
        self._active = False
        if not streaming:
            self.polled()
        self._draw()

    def resync(self, streaming: bool, rows: int) -> float:
        """Return the interval between resyncs of a run that has so many rows."""
        streams, timing = self._load.streams, self._timing
        if streaming:
            shared = 0.0 if self._active else streams.open / self._load.resyncs_per_second
            return self._longer(timing.resync_interval, shared)
        return self._longer(
            self._interval,
            streams.runs_without_stream / timing.polls_per_second,
            rows / timing.rows_per_second,
        )

    def poll(self, hidden: int) -> float:
        """Return the interval between polls of the run's events whose answers are hidden."""
        self._load.hidden += hidden - self._hidden
        self._hidden = hidden
        return self._longer(self._interval, self._load.hidden / self._timing.polls_per_second)

    def _longer(self, interval: float, *least: float) -> float:
        return max(interval * self._jitter, *(shared * self._spread for shared in least))

    def _draw(self) -> None:
        self._jitter = random.uniform(*JITTER)  # noqa: S311  jitter is no secret
        self._spread = random.uniform(*SPREAD)  # noqa: S311
