"""Opening the store's file.

While a connection to it is open, only SQLite may open the file: closing any other
descriptor of it in this process drops SQLite's locks (POSIX), and another process then
deletes the log that is in use. So a file that is already open here is not read directly.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from typing import NamedTuple

from flyte_sidecar.backends.local import header, mounts, ownership, rows, tables
from flyte_sidecar.backends.local.documents import Connection
from flyte_sidecar.backends.local.error_translation import (
    is_busy,
    is_full,
    translate_errors,
    unavailable,
)
from flyte_sidecar.errors import StoreUnavailable

BUSY_TIMEOUT = 10.0
"""Seconds to wait for a lock that another process holds."""

MAX_ROW_BYTES = 1 << 28
"""Bytes of the largest row: a damaged row may claim more than there is memory."""

_opening = threading.Lock()


class Identity(NamedTuple):
    """Identifies a file regardless of its path."""

    device: int
    inode: int


_open: dict[Identity, int] = {}  # how many stores of this process have each file open


class OpenFile:
    """The store's file with the two connections that a process needs.

    Attributes
    ----------
    writing
        The connection of the thread that commits.
    reading
        The connection of the event loop, which never waits for a lock.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with _opening, translate_errors(path):
            real = os.path.realpath(path)
            _prepare(real)
            identity = _identity(real)
            self.writing = _connect(real, BUSY_TIMEOUT)
            try:
                tables.migrate(self.writing, path)
                _set_modes(self.writing)
                self.reading = _connect(real, 0.0)
                try:
                    self.reading.execute("PRAGMA query_only = 1")
                    self.store_id: str = _store_id(self.writing)
                    # SQLite keeps its log and the log's index in place for as long as it is open.
                    self._names = (path, real + ownership.LOG, real + ownership.INDEX)
                    self._identities = tuple(map(_identity, self._names))
                    ownership.check_files(real)  # again: SQLite may have opened other files
                    ownership.make_private(real)
                except BaseException:
                    self.reading.close()
                    raise
            except BaseException:
                self.writing.close()
                raise
            _open[identity] = _open.get(identity, 0) + 1

    def check_in_place(self, outcome: str) -> None:
        """Raise if the path no longer leads to the file that is open."""
        try:
            with translate_errors(self.path, outcome):
                found: tuple[Identity, ...] = tuple(map(_identity, self._names))
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                raise
            found = ()
        if found != self._identities:
            raise unavailable("replaced", self.path, outcome, "another file is at this path now")

    def close(self) -> None:
        """Close both connections; the event loop must no longer use `reading`."""
        with _opening:
            self.reading.close()
            self.writing.close()
            identity = self._identities[0]
            _open[identity] -= 1
            if not _open[identity]:
                del _open[identity]


def _identity(path: str) -> Identity:
    status = os.stat(path)
    return Identity(status.st_dev, status.st_ino)


def check_location(path: str) -> None:
    """Raise if the path is unsuitable for a store, whether or not one exists there.

    Raises
    ------
    StoreUnavailable
    """
    real = os.path.realpath(path)
    with translate_errors(path):
        mounts.check(real)
        if os.path.isdir(os.path.dirname(real)):
            ownership.check_folder(real)


def _prepare(path: str) -> None:
    """Create the file if it does not exist, private to its user; reject a file that is no store.

    Nothing is written to a file that is rejected.
    """
    folder = os.path.dirname(path)
    check_location(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    ownership.check_files(path)
    if is_full(path) and not os.path.exists(path + ownership.INDEX):
        # SQLite would fail while it creates its files, and leave them there.
        raise unavailable("full", path, "none", "there is no room for the log")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return
    except FileExistsError:
        ownership.check_files(path)  # again: it may have been created just now
    if not (os.access(path, os.W_OK) and os.access(folder, os.W_OK)):
        raise unavailable("read_only", path, "none", "no permission to write")
    if _identity(path) not in _open:
        header.check(path)


def _connect(path: str, busy_timeout: float) -> Connection:
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    if os.name == "nt":
        quoted = "/" + quoted.replace("\\", "/")
    db = sqlite3.connect(
        f"file://{quoted}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=busy_timeout,
        check_same_thread=False,
        factory=Connection,
    )
    db.text_factory = bytes  # a damaged text must not fail a statement
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
    return db


def _store_id(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT id FROM store").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the store's identity is missing")
    return rows.text(row[0])


def _set_modes(db: sqlite3.Connection) -> None:
    """Allow reads during a write, and make each commit survive a power loss."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            # Changing the mode does not wait for locks by itself.
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != b"wal":
        raise sqlite3.OperationalError(f"the journal mode stays {rows.text(mode)}")
    db.execute("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":
        db.execute("PRAGMA fullfsync = 1")
