"""The sizes of a benchmark run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunSize:
    """Sizes of one run; each figure is the median of its rounds.

    Attributes
    ----------
    rounds
        Number of times that each server is spawned and measured, and each listing repeated.
    round_trips
        Requests sent one at a time per round.
    load
        Fraction of a peer's pipelined requests that is sent.
    many_events
        Events of the run that the memory benchmark lists.
    signals
        Signals pipelined per round; a tenth as many are sent one at a time.
    waits
        Waits that are ended from another process.
    idle_seconds
        Seconds for which an idle sidecar is observed.
    """

    rounds: int
    round_trips: int
    load: float
    many_events: int
    signals: int
    waits: int
    idle_seconds: float


FULL = RunSize(
    rounds=9,
    round_trips=2_000,
    load=1.0,
    many_events=100_000,
    signals=5_000,
    waits=200,
    idle_seconds=20.0,
)

QUICK = RunSize(
    rounds=3,
    round_trips=500,
    load=0.4,
    many_events=20_000,
    signals=1_000,
    waits=40,
    idle_seconds=5.0,
)
