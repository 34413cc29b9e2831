"""The processes that own events: an event that has an owner ends with it.

Each owner has a row with the identity of its process, and the time of its last renewal. A process
that can be seen from here decides by itself. Otherwise, as between containers, an owner is gone
once it has not renewed for `LEASE` seconds.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

from msgspec import DecodeError, json

from flyte_sidecar.backends.local import queries

if TYPE_CHECKING:
    from flyte_sidecar.backends.local.processes import Domain

LEASE = 60.0
"""Seconds after which an owner that has not renewed is gone, if its process cannot be seen."""


def now() -> int:
    """Return the time in microseconds, on the clock that all processes of a boot share.

    It stands still while the machine is suspended, so that no lease ends then.
    """
    return time.monotonic_ns() // 1000


def claim(db: sqlite3.Connection) -> int:
    """Return the id of this process's row, renewed.

    Rows of owners without pending events are deleted, so that they do not accumulate.
    """
    db.execute(f"DELETE FROM owner WHERE NOT {queries.owns_pending()}")
    process = _this_process()
    db.execute(
        "INSERT INTO owner (process, renewed_at) VALUES (?, ?)"
        " ON CONFLICT (process) DO UPDATE SET renewed_at = excluded.renewed_at",
        (process, now()),
    )
    found: int = db.execute("SELECT id FROM owner WHERE process = ?", (process,)).fetchone()[0]
    return found


def renew(db: sqlite3.Connection) -> bool:
    """Renew this process's row, and return whether the process owns pending events."""
    renewed = db.execute(
        f"UPDATE owner SET renewed_at = ? WHERE process = ? AND {queries.owns_pending()}",
        (now(), _this_process()),
    )
    return renewed.rowcount == 1


def owns_pending(db: sqlite3.Connection) -> bool:
    """Return whether this process owns pending events."""
    owners = db.execute(f"SELECT process FROM owner WHERE {queries.owns_pending()}").fetchall()
    return bool(owners) and (_this_process().encode(),) in owners


def gone(db: sqlite3.Connection, excluded: str) -> list[int]:
    """Return the ids of the owners that are gone and still have pending events.

    Parameters
    ----------
    excluded
        The events that do not count, as SQL of `queries.excluding`.
    """
    owners = db.execute(
        f"SELECT id, process, renewed_at FROM owner WHERE {queries.owns_pending(excluded)}"
    ).fetchall()
    if not owners:
        return []
    here = _here()
    return [owner for owner, process, renewed_at in owners if _is_gone(process, renewed_at, here)]


def is_gone(db: sqlite3.Connection, owner: int) -> bool:
    """Return whether an owner is gone; it is not if its row is missing."""
    row = db.execute("SELECT process, renewed_at FROM owner WHERE id = ?", (owner,)).fetchone()
    return row is not None and _is_gone(row[0], row[1], _here())


def _here() -> Domain:
    from flyte_sidecar.backends.local.processes import this_domain  # most stores have no owners

    return this_domain()


def _this_process() -> str:
    from flyte_sidecar.backends.local.processes import this_process

    return json.encode(this_process()).decode()


def _is_gone(process: object, renewed_at: object, here: Domain) -> bool:
    """Return whether an owner is gone, from the columns of its row.

    If a row is damaged, or the clocks cannot be compared, the owner is not gone: an event that
    stays pending does less harm than one that is aborted while its run waits.
    """
    from flyte_sidecar.backends.local.processes import Process, is_running

    if not isinstance(process, bytes) or not isinstance(renewed_at, int):
        return False
    try:
        owner = json.decode(process, type=Process)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return False
    running = is_running(owner, here)
    if running is not None or owner.time_namespace != here.time_namespace:
        return running is False
    # After a restart of the machine, the clock starts again: the renewal is in the future then.
    return abs(now() - renewed_at) > LEASE * 1_000_000
