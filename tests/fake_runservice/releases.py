"""How the releases of Flyte's backend differ for events."""

from __future__ import annotations

from dataclasses import dataclass

from tests.fake_runservice.listing import COLUMN_FIELDS


@dataclass(frozen=True)
class Release:
    signals: bool = True  # SignalEvent is implemented
    paused_runs: bool = True  # paused_actions_only has an effect
    updates_phases: bool = True  # ends are recorded and notified; watches report conditions
    hosted: bool = False  # a closed backend: org is significant, and listings report more

    @property
    def filters(self) -> frozenset[str]:
        """The fields that a listing can be filtered by."""
        if self.hosted:
            return frozenset({"action_type", "parent_name", "phase", "created_at"})
        return COLUMN_FIELDS if self.updates_phases else COLUMN_FIELDS - {"action_type"}


RELEASES = {
    "2.0.27": Release(signals=False, paused_runs=False, updates_phases=False),
    "2.0.28": Release(paused_runs=False, updates_phases=False),
    "2.0.30": Release(updates_phases=False),
    "2.0.42": Release(updates_phases=False),
    "2.0.43": Release(),
    "hosted": Release(hosted=True),
}
