"""The SQL that reads are composed of."""

from __future__ import annotations

from collections.abc import Collection, Container

from flyte_sidecar.backends.local import rows
from flyte_sidecar.events.model import ABORTED, PAUSED, SUCCEEDED, TIMED_OUT

_PHASES = (PAUSED, SUCCEEDED, ABORTED, TIMED_OUT)

PENDING = (
    f"FROM event INDEXED BY pending_by_run WHERE phase = '{PAUSED}' AND run IN"
    " (SELECT id FROM run WHERE org = ? AND project = ? AND domain = ?)"
)
COUNT = f"SELECT count(*) FROM event INDEXED BY pending_by_run WHERE phase = '{PAUSED}' AND run ="
NEXT_EXPIRY = (
    "SELECT expires_at FROM event INDEXED BY pending_by_expiry"
    f" WHERE phase = '{PAUSED}' AND expires_at < {rows.BEYOND}"
)


def overdue(broken: Collection[int]) -> str:
    """Return the SQL from FROM on that selects the events that have expired at an instant.

    The rows with the ids `broken` are excluded.
    """
    excluded = f" AND id NOT IN ({', '.join(map(str, broken))})" if broken else ""
    return (
        "FROM event INDEXED BY pending_by_expiry"
        f" WHERE phase = '{PAUSED}' AND expires_at <= ?{excluded} ORDER BY expires_at"
    )


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


class _First(dict[str, str]):
    """The query for the first event of each selection, composed once."""

    def __missing__(self, selection: str) -> str:
        self[selection] = query = f"SELECT document {selection} ORDER BY id LIMIT 1"
        return query


FIRST = _First()


def of_run(
    run: int, parent: str | None, phases: Container[str] | None
) -> tuple[str, tuple[str | int, ...]]:
    """Return the SQL from FROM on that selects events of a run, and its parameters.

    It uses an index that has the events in creation order.
    """
    known = None if phases is None else [phase for phase in _PHASES if phase in phases]
    parameters: tuple[str | int, ...] = (run,)
    if parent is not None:
        index, condition = "event_by_parent", "run = ? AND parent = ?"
        parameters = (run, parent)
    else:
        index = "pending_by_run" if known == [PAUSED] else "event_by_run"
        condition = "run = ?"
    if known == [PAUSED]:
        condition += f" AND phase = '{PAUSED}'"
    elif known is not None:
        wanted = ", ".join(f"'{phase}'" for phase in known)
        condition += f" AND phase IN ({wanted})"
    return f"FROM event INDEXED BY {index} WHERE {condition}", parameters
