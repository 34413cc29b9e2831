"""How much a run measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """Sizes of one run; a figure is the median of its rounds.

    Attributes
    ----------
    rounds
        How often each server is spawned and measured, and each listing and load repeated.
    round_trips
        Requests sent one at a time in a round.
    load
        The share of a server's pipelined requests that is sent.
    many_events
        Events in the run that is listed for its memory.
    signals
        Signals pipelined in a round; a tenth as many are sent one at a time.
    waits
        Waits that are ended from another process.
    idle_seconds
        How long an idle sidecar is watched.
    """

    rounds: int
    round_trips: int
    load: float
    many_events: int
    signals: int
    waits: int
    idle_seconds: float


FULL = Effort(
    rounds=9,
    round_trips=2_000,
    load=1.0,
    many_events=100_000,
    signals=5_000,
    waits=200,
    idle_seconds=20.0,
)

QUICK = Effort(
    rounds=3,
    round_trips=500,
    load=0.4,
    many_events=20_000,
    signals=1_000,
    waits=40,
    idle_seconds=5.0,
)
