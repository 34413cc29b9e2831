"""Which listed events are certainly pending.

Releases before 2.0.43 left an event PAUSED when it was answered or when it timed out, and an
upgrade does not correct those events. A listing of 2.0.43 therefore proves that an event is
pending only if the event was created when 2.0.43 already ran; for others, the details decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cachetools import LRUCache

from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.events.model import ABORTED, PAUSED, Event, Run

MAX_CONFIRMED = 100_000
"""Maximum number of events that are remembered as confirmed by their details."""

MAX_RUNS = 10_000
"""Maximum number of runs for which it is remembered since when their phases are right."""

PAUSED_WITHIN = timedelta(seconds=10)
"""An event that ended sooner may never have been PAUSED: every release records such an end."""


class PendingEvidence:
    """Evidence that PAUSED means pending, collected while the backend records every end.

    Attributes
    ----------
    clock
        An instant that has passed by the backend's clock, the latest one that it reported.
    """

    def __init__(self) -> None:
        self.clock = datetime.fromtimestamp(0, UTC)
        self._since: LRUCache[Run, datetime] = LRUCache(MAX_RUNS)
        self._confirmed: LRUCache[tuple[Run, str], bool] = LRUCache(MAX_CONFIRMED)

    def record_times(self, instants: Iterable[datetime]) -> None:
        """Record instants that have passed by the backend's clock."""
        self.clock = max((self.clock, *instants))

    def record_rows(self, rows: Iterable[ListedAction]) -> None:
        """Record what listed rows prove: an end that only 2.0.43 can have recorded.

        Aborts prove nothing, since every release records them.
        """
        for row in rows:
            created, ended = row.created_at, row.ended_at
            if not row.is_event or created is None:
                continue  # a trace has the clock of the machine that runs it
            self.record_times((created, ended or created))
            if not row.ended or ended is None or row.phase == ABORTED:
                continue
            if ended - created >= PAUSED_WITHIN:
                self._since[row.run] = min(ended, self._since.get(row.run, ended))

    def record_pending(self, event: Event) -> None:
        """Remember that the details of an event showed it as pending."""
        self._confirmed[event.run, event.action_name] = True

    def clear(self) -> None:
        """Forget everything: the backend no longer records every end."""
        self._since.clear()
        self._confirmed.clear()

    def is_phase_reliable(self, row: ListedAction) -> bool:
        """Return whether the phase of an event that has not ended is right."""
        if row.phase != PAUSED or (row.run, row.action_name) in self._confirmed:
            return True
        since = self._since.get(row.run)
        return since is not None and row.created_at is not None and row.created_at >= since
