"""Opening the store's file.

While a connection to the file is open, only SQLite may open it: closing any other descriptor of it
in this process drops SQLite's locks (POSIX), and another process then deletes the log that is in
use. So a file that is already open here is not read directly.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
import time
from contextlib import ExitStack, closing
from typing import NamedTuple

from flyte_sidecar.backends.local import header_check, migrations, mounts, ownership, rows
from flyte_sidecar.backends.local.damaged_events import StoreConnection
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
"""Maximum size of a row: a damaged row may claim to be larger than the memory."""

_opening = threading.Lock()


class FileId(NamedTuple):
    """Identifies a file regardless of its path."""

    device: int
    inode: int


_open_files: dict[FileId, int] = {}
"""How many stores of this process have each file open."""


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
            file_id = _file_id(real)
            with ExitStack() as on_failure:
                self.writing = on_failure.enter_context(closing(_connect(real, BUSY_TIMEOUT)))
                migrations.migrate(self.writing, path)
                _set_modes(self.writing)
                self.reading = on_failure.enter_context(closing(_connect(real, 0.0)))
                self.reading.execute("PRAGMA query_only = 1")
                self.store_id: str = _store_id(self.writing)
                # SQLite keeps its log and the log's index in place while a connection is open.
                self._names = (path, real + ownership.LOG, real + ownership.INDEX)
                self._file_ids = tuple(map(_file_id, self._names))
                ownership.check_files(real)  # again: SQLite may have opened other files
                ownership.make_private(real)
                on_failure.pop_all()
            _open_files[file_id] = _open_files.get(file_id, 0) + 1

    def check_in_place(self, outcome: str) -> None:
        """Raise if the path no longer leads to the file that is open."""
        try:
            with translate_errors(self.path, outcome):
                found: tuple[FileId, ...] = tuple(map(_file_id, self._names))
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
                raise
            found = ()
        if found != self._file_ids:
            raise unavailable("replaced", self.path, outcome, "another file is at this path now")

    def close(self) -> None:
        """Close both connections; the event loop must no longer use `reading`."""
        with _opening:
            self.reading.close()
            self.writing.close()
            file_id = self._file_ids[0]
            _open_files[file_id] -= 1
            if not _open_files[file_id]:
                del _open_files[file_id]


def _file_id(path: str) -> FileId:
    status = os.stat(path)
    return FileId(status.st_dev, status.st_ino)


def check_location(path: str) -> None:
    """Raise if the path is unsuitable for a store, whether or not one exists there.

    Raises
    ------
    StoreUnavailable
    """
    real = os.path.realpath(path)
    with translate_errors(path):
        mounts.check_file_system(real)
        if os.path.isdir(os.path.dirname(real)):
            ownership.check_folder(real)


def _prepare(path: str) -> None:
    """Create the file, private to its user, or check that an existing one is a store.

    Nothing is written to a file that is rejected.
    """
    folder = os.path.dirname(path)
    check_location(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    ownership.check_files(path)
    if is_full(path) and not os.path.exists(path + ownership.INDEX):
        # SQLite would fail while it creates its files, and not remove them.
        raise unavailable("full", path, "none", "there is no room for the log")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return
    except FileExistsError:
        ownership.check_files(path)  # again: it may have been created just now
    if not (os.access(path, os.W_OK) and os.access(folder, os.W_OK)):
        raise unavailable("read_only", path, "none", "no permission to write")
    if _file_id(path) not in _open_files:
        header_check.check_header(path)


def _connect(path: str, busy_timeout: float) -> StoreConnection:
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    if os.name == "nt":
        quoted = "/" + quoted.replace("\\", "/")
    db = sqlite3.connect(
        f"file://{quoted}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=busy_timeout,
        check_same_thread=False,
        factory=StoreConnection,
    )
    db.text_factory = bytes  # a damaged text must not fail a statement
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
    return db


def _store_id(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT id FROM store").fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the store's id is missing")
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
        raise sqlite3.OperationalError(f"the journal mode is {rows.text(mode)}, expected wal")
    db.execute("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":
        db.execute("PRAGMA fullfsync = 1")
