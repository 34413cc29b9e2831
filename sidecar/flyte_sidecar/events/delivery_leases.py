"""Which process of a user on a machine notifies of an event: the one that holds the lease.

A process claims an event, notifies of it, and records that. If it dies in between, its lease
expires, and another process notifies. What was delivered stays recorded after the end of the
process, so that nobody repeats it after a restart.

The records are in a small SQLite file in the user's state folder. They cannot be in the store of
the events: events of a deployment are in no store, an event may be seen through several, and
recording a notification would wake every process that follows the store. The file belongs to one
machine, also where machines share a home folder, so that no lock has to work across a network. It
is opened for each operation: operations are rare, and a file that was deleted is created again.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct, json

from flyte_sidecar.events.intern_pool import EventKey

PERSON = "person"
"""The channel of everything that a person at this machine sees: questions of editors too."""

DEFAULT_LEASE = 90.0
"""Seconds after which another process may notify in place of one that has not finished."""

MAX_LEASE = 3600.0
"""Seconds. A lease that lasts longer was recorded before the clock was set back: it is over."""

MAX_AGE = 28 * 86400.0
"""Seconds after which a record is removed."""

MAX_RECORDS = 50_000
"""Number of records above which the oldest ones are removed."""

CLAIMS_PER_CLEANUP = 500
"""Number of claims of a process between removals of old records, which it begins with."""

BUSY_TIMEOUT = 10.0
"""Seconds to wait for a lock that another process holds."""

EventName: TypeAlias = tuple[str, EventKey]
"""The id of a backend, and the key of an event in it."""

_FORMAT = 1
_MACHINE_ID = Path("/etc/machine-id")


class LeasesUnavailable(Exception):
    """The records cannot be read or written."""


class Claim(Struct, frozen=True):
    """What a process knows about the notification of an event.

    Attributes
    ----------
    status
        "claimed": the process holds the lease. "free": nobody does, but the process has claimed
        as many others as it wanted. "held": another process does. "delivered": it is done.
    delivered_at
        When it was delivered before, as a Unix time; None if it was not.
    until
        When the lease of another process expires, as a Unix time; 0 for other statuses.
    """

    status: Literal["claimed", "free", "held", "delivered"]
    delivered_at: float | None = None
    until: float = 0.0


class DeliveryLeases:
    """The leases of one process on one channel. The methods may be called in any thread.

    Every method raises `LeasesUnavailable` if the file cannot be used.

    Parameters
    ----------
    state_folder
        Returns the user's folder for the state of all sidecars, which is created if necessary.
    channel
        What notifies: events are delivered once per channel.
    lease
        Seconds after which another process may notify; at most `MAX_LEASE`.
    """

    def __init__(
        self, state_folder: Callable[[], Path], channel: str, lease: float = DEFAULT_LEASE
    ) -> None:
        self._state_folder = state_folder
        self._channel = channel
        self._lease = lease
        self._holder = os.urandom(8).hex()
        self._attempts = 0

    def claim(
        self,
        events: Sequence[EventName],
        limit: int | None = None,
        repeat_after: float | None = None,
    ) -> Sequence[Claim]:
        """Claim some events, and return what is known about each.

        Parameters
        ----------
        limit
            The number of events to claim at most; all by default.
        repeat_after
            Seconds after a delivery from which the event may be claimed again; None for never.
        """
        ids = [self._id(event) for event in events]
        with self._opened() as db:
            known = [self._read(db, each, repeat_after) for each in ids]
            free = [index for index, claim in enumerate(known) if claim.status == "free"][:limit]
            if not free:
                return known
            with _writing(db):
                now = time.time()
                if self._attempts % CLAIMS_PER_CLEANUP == 0:
                    _remove_old(db, now)
                self._attempts += 1
                for index in free:
                    # Another process may have claimed it since.
                    known[index] = claim = self._read(db, ids[index], repeat_after)
                    if claim.status == "free":
                        known[index] = Claim("claimed", claim.delivered_at)
                        row = (ids[index], self._holder, now + self._lease, now)
                        db.execute(_CLAIM, row)
        return known

    def take(self, event: EventName) -> bool:
        """Claim an event and record it as delivered; return False if it was claimed before."""
        [claim] = self.claim([event])
        if claim.status != "claimed":
            return False
        self.record([event])
        return True

    def record(self, events: Sequence[EventName]) -> None:
        """Record that events were delivered, which ends their leases."""
        now = time.time()
        with self._opened() as db, _writing(db):
            db.executemany(_RECORD, [(self._id(event), now, now) for event in events])

    def postpone(self, events: Sequence[EventName], delay: float) -> None:
        """Keep the leases while this process waits for its next attempt, `delay` seconds.

        They last at most for `MAX_LEASE`.
        """
        expires = time.time() + min(delay + self._lease, MAX_LEASE)
        rows = [(expires, self._id(event), self._holder) for event in events]
        with self._opened() as db, _writing(db):
            db.executemany("UPDATE record SET expires = ? WHERE id = ? AND holder = ?", rows)

    def release(self, events: Sequence[EventName] | None = None) -> None:
        """Let other processes notify of events that are not delivered; of all by default."""
        ids = None if events is None else [(self._holder, self._id(event)) for event in events]
        with self._opened() as db, _writing(db):
            for statement in (
                "DELETE FROM record WHERE delivered IS NULL AND holder = ?",
                "UPDATE record SET holder = NULL WHERE holder = ?",
            ):
                if ids is None:
                    db.execute(statement, (self._holder,))
                else:
                    db.executemany(f"{statement} AND id = ?", ids)

    def _id(self, event: EventName) -> str:
        text = json.encode([self._channel, *event])
        return hashlib.sha256(text).hexdigest()[:32]

    def _read(self, db: sqlite3.Connection, record: str, repeat_after: float | None) -> Claim:
        row = db.execute(_READ, (record,)).fetchone()
        if row is None:
            return Claim("free")
        now = time.time()
        delivered, holder, expires = row
        if holder not in (None, self._holder) and now < expires <= now + MAX_LEASE:
            return Claim("held", delivered, expires)
        # The clock may have been set back since the delivery.
        if delivered is None or (repeat_after is not None and abs(now - delivered) >= repeat_after):
            return Claim("free", delivered)
        return Claim("delivered", delivered)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        path = None
        try:
            path = _prepare(self._state_folder())
            with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)) as db:
                _create_table(db)
                yield db
        except (OSError, RuntimeError, sqlite3.Error) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if path is not None and code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                path.unlink(missing_ok=True)  # the next operation creates it again
            raise LeasesUnavailable(str(error)) from error


_CLAIM = """
INSERT INTO record (id, holder, expires, touched) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
  holder = excluded.holder, expires = excluded.expires, touched = excluded.touched
"""
_RECORD = "INSERT OR REPLACE INTO record (id, delivered, touched) VALUES (?, ?, ?)"
_READ = "SELECT delivered, holder, expires FROM record WHERE id = ?"


def machine_file(folder: Path) -> Path:
    """Return the file of this machine in a folder that several machines may share."""
    machine = ""
    if sys.platform == "linux":
        try:
            machine = _MACHINE_ID.read_text().strip()
        except OSError:
            machine = os.uname().nodename  # containers often have no id
    return folder / f"{hashlib.sha256(f'flyte-sidecar {machine}'.encode()).hexdigest()[:16]}.db"


def _prepare(state_folder: Path) -> Path:
    """Return the file, which exists afterwards, in a folder that only the user can read."""
    folder = state_folder / "notified"
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if sys.platform != "win32":
        status = os.lstat(folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(f"{folder} is not a folder of the user")
        if status.st_mode & 0o077:
            folder.chmod(0o700)
    path = machine_file(folder)
    try:
        # Never an existing file: closing it would drop SQLite's locks of other threads.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise PermissionError(f"{path} is not a regular file") from None
    else:
        _remove_files_of_other_machines(path)
    return path


def _remove_files_of_other_machines(own: Path) -> None:
    """Remove the files in which every record is too old; containers may leave many."""
    oldest = time.time() - MAX_AGE
    for path in own.parent.glob("*.db"):
        try:
            if path != own and path.lstat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:
            continue  # another process removes it too


def _create_table(db: sqlite3.Connection) -> None:
    [version] = db.execute("PRAGMA user_version").fetchone()
    if version == _FORMAT:
        return
    if version > _FORMAT:
        raise RuntimeError("the file of notifications was written by a newer flyte-sidecar")
    with _writing(db):
        db.execute(
            "CREATE TABLE IF NOT EXISTS record (id TEXT PRIMARY KEY, delivered REAL,"
            " holder TEXT, expires REAL, touched REAL NOT NULL) WITHOUT ROWID"
        )
        db.execute(f"PRAGMA user_version = {_FORMAT}")


@contextmanager
def _writing(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _remove_old(db: sqlite3.Connection, now: float) -> None:
    db.execute("DELETE FROM record WHERE abs(touched - ?) > ?", (now, MAX_AGE))
    db.execute(
        "DELETE FROM record WHERE id IN"
        " (SELECT id FROM record ORDER BY touched DESC LIMIT -1 OFFSET ?)",
        (MAX_RECORDS,),
    )
