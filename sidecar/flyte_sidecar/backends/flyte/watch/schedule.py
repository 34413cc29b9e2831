"""When to ask the backend about a run again: seldom where a stream reports its changes.

All informers of a connection share its rates, so that none of them adds to the load of an idle
deployment. What changed a moment ago may change again soon: an interval begins short, and grows.
"""

from __future__ import annotations

import asyncio
import random
from time import monotonic

from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter

LONGEST = 13.0
"""Longest poll interval in seconds, and resync interval of a run that has just changed.

With its jitter, and the time that a poll takes, a change is reported within 15 s.
"""

JITTER = (0.9, 1.1)
"""Factors of an interval, so that nothing is done in step."""

SPREAD = (0.5, 1.5)
"""Factors of an interval that is long because many share a rate: they may begin all at once."""

SHORTEST = 1.0
"""Shortest poll interval in seconds."""

GROWTH = 1.5
"""By this factor a poll interval grows while nothing changes."""

RESYNCS_PER_SECOND = 1.0
"""Resyncs of all runs together for which a stream is open, while nothing changes."""

SUSPECT = 75.0
"""Seconds after the backend lost its database in which open streams may report nothing.

They stay open, but report no change until its listener has connected again, within a minute.
"""

POLLS_PER_SECOND = 75
"""Polls of all runs and events together that no stream covers."""

ROWS_PER_SECOND = 1000
"""Rows listed in these polls, for each run."""

REFRESHES = 32
"""Runs that are listed at once."""


class Load:
    """What the informers of one connection ask for.

    Attributes
    ----------
    runs
        How many runs are followed.
    hidden
        How many events have answers that neither streams nor listings report.
    refreshes
        Limits the runs that are listed at once.
    """

    def __init__(self, streams: StreamLimiter) -> None:
        self.streams = streams
        self.runs = 0
        self.hidden = 0
        self.refreshes = asyncio.Semaphore(REFRESHES)
        self._suspect_until = 0.0

    def suspect(self) -> None:
        """Trust no open stream for a while."""
        self._suspect_until = monotonic() + SUSPECT

    @property
    def resyncs_per_second(self) -> float:
        """The rate of the resyncs of all runs together for which a stream is open."""
        return POLLS_PER_SECOND if monotonic() < self._suspect_until else RESYNCS_PER_SECOND

    @property
    def pause(self) -> float:
        """The shortest interval in seconds between attempts to follow a run that fail."""
        return self.runs / POLLS_PER_SECOND


class Schedule:
    """The intervals of one run, in seconds."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._interval = SHORTEST
        self._active = False
        self._hidden = 0
        self._draw()
        load.runs += 1

    def close(self) -> None:
        """Take the run's share from the load."""
        self._load.runs -= 1
        self._load.hidden -= self._hidden
        self._hidden = 0

    def changed(self) -> None:
        """Start over with the shortest intervals."""
        self._interval = SHORTEST
        self._active = True

    def polled(self) -> None:
        """Let the poll interval grow."""
        self._interval = min(LONGEST, self._interval * GROWTH)

    def resynced(self, *, streaming: bool) -> None:
        """Return to the resync interval of an idle run; without a stream a resync is a poll."""
        self._active = False
        if not streaming:
            self.polled()
        self._draw()

    def resync(self, streaming: bool, rows: int) -> float:
        """Return the interval between resyncs of a run that has so many rows."""
        streams = self._load.streams
        if streaming:
            shared = 0.0 if self._active else streams.open / self._load.resyncs_per_second
            return self._longer(LONGEST, shared)
        return self._longer(
            self._interval, streams.without / POLLS_PER_SECOND, rows / ROWS_PER_SECOND
        )

    def poll(self, hidden: int) -> float:
        """Return the interval between polls of the run's events whose answers are hidden."""
        self._load.hidden += hidden - self._hidden
        self._hidden = hidden
        return self._longer(self._interval, self._load.hidden / POLLS_PER_SECOND)

    def _longer(self, interval: float, *least: float) -> float:
        return max(interval * self._jitter, *(shared * self._spread for shared in least))

    def _draw(self) -> None:
        self._jitter = random.uniform(*JITTER)  # noqa: S311  nothing is hidden by it
        self._spread = random.uniform(*SPREAD)  # noqa: S311
