"""The SQL that reads are composed of."""

from __future__ import annotations

from collections.abc import Collection, Container
from functools import cache

from flyte_sidecar.events.model import ABORTED, PAUSED, SUCCEEDED, TIMED_OUT, Target

_MAX_INTEGER = (1 << 62) - 1
"""Above any instant or revision; a damaged column may contain a larger integer, or a text."""

_PHASES = (PAUSED, SUCCEEDED, ABORTED, TIMED_OUT)

PENDING = (
    f"FROM event INDEXED BY pending_by_run WHERE phase = '{PAUSED}' AND run IN"
    " (SELECT id FROM run WHERE org = ? AND project = ? AND domain = ?)"
)
COUNT = f"SELECT count(*) FROM event INDEXED BY pending_by_run WHERE phase = '{PAUSED}' AND run ="
NEXT_EXPIRY = (
    "SELECT expires_at FROM event INDEXED BY pending_by_expiry"
    f" WHERE phase = '{PAUSED}' AND expires_at <= {_MAX_INTEGER}"
)
LAST_REVISION = f"SELECT coalesce(max(revision), 0) FROM event WHERE revision <= {_MAX_INTEGER}"

# The planner has no statistics: on its own, it may use an index that matches half the run.
_BY_ACTION = "FROM event INDEXED BY event_by_action WHERE run = ? AND action_name = ?"
ACTION_EXISTS = f"SELECT 1 {_BY_ACTION}"
_BY_NAME = "FROM event INDEXED BY event_by_name WHERE run = ? AND name = ?"
_BY_PARENT = (
    "FROM event INDEXED BY event_by_parent_and_name WHERE run = ? AND parent = ? AND name = ?"
)


def excluding(ids: Collection[int]) -> str:
    """Return SQL that excludes the rows of events from a query."""
    return f" AND event.id NOT IN ({', '.join(map(str, ids))})" if ids else ""


def expired(broken: Collection[int]) -> str:
    """Return the SQL from FROM on that selects the expired events, except those of broken rows."""
    return (
        "FROM event INDEXED BY pending_by_expiry"
        f" WHERE phase = '{PAUSED}' AND expires_at <= ?{excluding(broken)} ORDER BY expires_at"
    )


OWNED = f"FROM event INDEXED BY pending_by_owner WHERE phase = '{PAUSED}' AND owner IS NOT NULL"
"""The pending events that a process owns."""


def owns_pending(excluded: str = "") -> str:
    """Return the condition of the owners that have pending events; `excluded` as of `excluding`."""
    return f"EXISTS (SELECT 1 {OWNED} AND event.owner = owner.id{excluded})"


def changes(runs: Collection[int] | None) -> str:
    """Return the SQL from FROM on that selects the changes between two revisions.

    It reads the index alone, so that the changes of other runs cost next to nothing.
    """
    of_runs = "" if runs is None else f" AND run IN ({', '.join(map(str, runs))})"
    return (
        "FROM event INDEXED BY event_by_change"
        f" WHERE revision > ? AND revision <= ?{of_runs} ORDER BY revision LIMIT ?"
    )


BY_IDS = "FROM json_each(?) AS wanted CROSS JOIN event ON event.id = wanted.value"
"""The rows of a JSON array of ids, in its order: CROSS JOIN fixes the order of the loops."""


@cache
def first(selection: str) -> str:
    """Return the query for the first event of a selection."""
    return f"SELECT document {selection} ORDER BY id LIMIT 1"


def of_target(run: int, target: Target) -> tuple[str, tuple[int | str, ...]]:
    """Return the SQL from FROM on that selects the events of a target, and its parameters."""
    if target.action_name is not None:
        return _BY_ACTION, (run, target.action_name)
    if target.parent is None:
        return _BY_NAME, (run, target.name or "")
    return _BY_PARENT, (run, target.parent, target.name or "")


def of_run(
    run: int, parent: str | None, phases: Container[str] | None
) -> tuple[str, tuple[str | int, ...]]:
    """Return the SQL from FROM on that selects events of a run, and its parameters.

    It uses an index that has the events in creation order.
    """
    selected = None if phases is None else [phase for phase in _PHASES if phase in phases]
    parameters: tuple[str | int, ...] = (run,)
    if parent is not None:
        index, condition = "event_by_parent", "run = ? AND parent = ?"
        parameters = (run, parent)
    else:
        index = "pending_by_run" if selected == [PAUSED] else "event_by_run"
        condition = "run = ?"
    if selected == [PAUSED]:
        condition += f" AND phase = '{PAUSED}'"
    elif selected is not None:
        condition += f" AND phase IN ({', '.join(map(repr, selected))})"
    return f"FROM event INDEXED BY {index} WHERE {condition}", parameters
