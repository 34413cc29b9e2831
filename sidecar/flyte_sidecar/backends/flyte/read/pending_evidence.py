"""Before 2.0.43, PAUSED does not prove that an event is pending. This module decides when it does.

Older releases left an event PAUSED when it was answered or timed out, and an upgrade does not
correct those events. A listing of 2.0.43 therefore proves that an event is pending only if the
event was created while 2.0.43 already ran. For others, the details decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache

from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.events.model import ABORTED, PAUSED, Event, Run

MAX_CONFIRMED = 100_000
"""Maximum number of events whose details were read as pending."""

MAX_RUNS = 10_000
"""Maximum number of runs for which the start of reliable phases is cached."""

PAUSED_WITHIN = timedelta(seconds=10)
"""Time until a new event is PAUSED. If it ends before that, every release records the end."""


class PendingEvidence:
    """Evidence that PAUSED means pending, collected while the backend updates phases.

    Attributes
    ----------
    clock
        The latest instant that the backend has reported: its clock shows at least that.
    """

    def __init__(self) -> None:
        self.clock = datetime.fromtimestamp(0, UTC)
        self._reliable_since: LRUCache[Run, datetime] = LRUCache(MAX_RUNS)
        self._confirmed: LRUCache[tuple[Run, str], bool] = LRUCache(MAX_CONFIRMED)

    def record_times(self, instants: Iterable[datetime]) -> None:
        """Advance `clock` to the latest of these instants, which the backend reported."""
        self.clock = max((self.clock, *instants))

    def record_rows(self, rows: Iterable[ListedAction]) -> None:
        """Record which rows show an end that only 2.0.43 can have recorded.

        That excludes aborts, since every release records them.
        """
        for row in rows:
            created, ended = row.created_at, row.ended_at
            if not row.is_event or created is None:
                continue  # the instants of a trace are by the clock of the machine that runs it
            self.record_times((created, ended or created))
            if not row.ended or ended is None or row.phase == ABORTED:
                continue
            if ended - created >= PAUSED_WITHIN:
                since = self._reliable_since.get(row.run, ended)
                self._reliable_since[row.run] = min(ended, since)

    def record_pending(self, event: Event) -> None:
        """Record that the details of an event showed it as pending."""
        self._confirmed[event.run, event.action_name] = True

    def clear(self) -> None:
        """Discard all evidence: the backend no longer updates phases."""
        self._reliable_since.clear()
        self._confirmed.clear()

    def is_phase_reliable(self, row: ListedAction) -> bool:
        """Return whether a listed phase that is not final is certainly the current one."""
        if row.phase != PAUSED or (row.run, row.action_name) in self._confirmed:
            return True
        since = self._reliable_since.get(row.run)
        return since is not None and row.created_at is not None and row.created_at >= since
