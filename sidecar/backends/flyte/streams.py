"""How many streams a connection may have, and for which runs none can be had."""

from __future__ import annotations

from time import monotonic

from cachetools import TTLCache

from sidecar.backends.flyte.transport import CallFailed
from sidecar.events.model import Run

OPEN = 100
"""Streams that may be open: Go's HTTP/2 server takes 250 calls at once from a connection."""

FAILING = 1000
"""Runs that are remembered as ones of which no stream can be had."""

REMEMBERED = 60.0
"""Seconds after which a stream is tried again where none could be had."""


class Streams:
    """The streams of a connection.

    Attributes
    ----------
    without
        How many runs are followed without one.
    """

    def __init__(self) -> None:
        self.without = 0
        self._left = OPEN
        self._failing: TTLCache[Run | None, bool] = TTLCache(FAILING, REMEMBERED, monotonic)

    def take(self, run: Run) -> bool:
        """Tell whether a stream of the run may be opened; if so, it is to be given back."""
        may = self._left > 0 and run not in self._failing and None not in self._failing
        self._left -= may
        return may

    def give(self) -> None:
        """Give one back."""
        self._left += 1

    def refuse(self, run: Run, failure: CallFailed) -> None:
        """Note that no stream of the run can be had, or of any where there is no such call."""
        self._failing[None if failure.status == "UNIMPLEMENTED" else run] = True
