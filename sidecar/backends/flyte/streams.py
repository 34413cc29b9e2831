"""How many streams a connection may have, and for which runs none can be had."""

from __future__ import annotations

from time import monotonic

from cachetools import TTLCache

from sidecar.backends.flyte.transport import CallFailed
from sidecar.events.model import Run

OPEN = 1000
"""Streams that may be open for long, over several HTTP/2 connections."""

SPARE = 100
"""Streams that may be open beyond these for a snapshot."""

FAILING = 1000
"""Runs that are remembered as ones of which no stream can be had."""

REMEMBERED = 60.0
"""Seconds after which a stream is tried again where none could be had."""


class Streams:
    """The streams of a connection.

    Attributes
    ----------
    open
        How many are open.
    without
        How many runs are followed without one.
    """

    def __init__(self) -> None:
        self.open = 0
        self.without = 0
        self._failing: TTLCache[Run | None, bool] = TTLCache(FAILING, REMEMBERED, monotonic)

    def take(self, run: Run, *, spare: bool = True) -> bool:
        """Return whether a stream of the run may be opened; if so, it has to be given back.

        Only a stream that is over soon may be one of the spare ones.
        """
        limit = OPEN + SPARE if spare else OPEN
        may = self.open < limit and run not in self._failing and None not in self._failing
        self.open += may
        return may

    def give(self) -> None:
        """Give one back."""
        self.open -= 1

    def refuse(self, run: Run, failure: CallFailed) -> None:
        """Note that no stream of the run can be had, or of any where there is no such call."""
        self._failing[None if failure.status == "UNIMPLEMENTED" else run] = True
