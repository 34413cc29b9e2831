"""Opening the store's file, and saying what is wrong where it cannot be used.

While a connection to it is open, only SQLite may open the file: closing any other
descriptor of it in this process drops SQLite's locks (POSIX), and another process then
deletes the log beneath it. So a file that is already open here is not looked into again.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sidecar.backends.local import schema
from sidecar.errors import SidecarError, StoreBusy, StoreUnavailable

PATIENCE = 10.0
"""Seconds to wait for a lock that another process holds."""

_NETWORK = {"remote", "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afpfs", "afs", "webdav"}
_NETWORK |= {"ceph", "glusterfs", "lustre", "ncpfs", "davfs", "fuse.sshfs", "fuse.s3fs"}
_NETWORK |= {"fuse.gcsfuse", "fuse.rclone", "fuse.glusterfs", "fuse.davfs"}
"""Kinds of file systems on which processes of several machines may meet."""

_opening = threading.Lock()


class Identity(NamedTuple):
    """Which file it is, whatever it is called."""

    device: int
    inode: int


_open: dict[Identity, int] = {}  # how many stores of this process have each file open


class OpenFile:
    """The store's file with the two connections that a process needs of it.

    Attributes
    ----------
    writing
        For the thread that commits.
    reading
        For the event loop: it never waits for a lock.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with _opening, told_as_errors(path):
            _refuse_network(path)
            _prepare(path)
            self.identity = _identity(path)
            self.writing = _connect(path, PATIENCE)
            try:
                schema.migrate(self.writing)
                _set_modes(self.writing)
                self.reading = _connect(path, 0.0)
                self.reading.execute("PRAGMA query_only = 1")
                self.store_id: str = self.writing.execute("SELECT id FROM store").fetchone()[0]
                _make_private(path)
            except BaseException:
                self.writing.close()
                raise
            _open[self.identity] = _open.get(self.identity, 0) + 1

    def check_in_place(self, outcome: str) -> None:
        """Raise if the path no longer leads to the file that is open."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            status = None
        if status is None or (status.st_dev, status.st_ino) != self.identity:
            raise StoreUnavailable(
                f"the store {self.path} was deleted or replaced while it was in use",
                reason="replaced",
                outcome=outcome,
            )

    def close(self) -> None:
        """Close the writer's connection; the event loop closes `reading`, which it uses."""
        with _opening:
            self.writing.close()
            _open[self.identity] -= 1
            if not _open[self.identity]:
                del _open[self.identity]


@contextmanager
def told_as_errors(path: str, outcome: str = "none") -> Iterator[None]:
    """Turn what SQLite and the operating system raise into the errors of the contract.

    `outcome` is what is known of a write that fails so.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise as_error(error, path, outcome) from error
    except OSError as error:
        reason = _REASONS_OS.get(error.errno or 0, "io")
        raise _unavailable(reason, path, outcome, error.strerror or str(error)) from error


def as_error(error: sqlite3.Error, path: str, outcome: str) -> SidecarError:
    """Give the contract's error for one of SQLite's."""
    if is_busy(error):
        return StoreBusy(f"another process keeps the store {path} locked", outcome="none")
    code = getattr(error, "sqlite_errorcode", None)
    reason = "io" if code is None else _REASONS.get(code & 0xFF, "io")
    return _unavailable(reason, path, "none" if reason != "io" else outcome, str(error))


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether the same statement may succeed in a moment."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _unavailable(reason: str, path: str, outcome: str, detail: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"the store {path} {_SENTENCES[reason]} ({detail})", reason=reason, outcome=outcome
    )


_SENTENCES = {
    "not_a_store": "is not a flyte-sidecar store",
    "full": "is on a disk that is full",
    "read_only": "cannot be written to",
    "network": "is on a network file system, where SQLite's log does not work",
    "io": "cannot be used",
}

_REASONS = {
    sqlite3.SQLITE_NOTADB: "not_a_store",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_PERM: "read_only",
}

_REASONS_OS = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read_only",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
    errno.EISDIR: "not_a_store",
    errno.ENOTDIR: "not_a_store",
}


def _identity(path: str) -> Identity:
    status = os.stat(path)
    return Identity(status.st_dev, status.st_ino)


def _prepare(path: str) -> None:
    """Make the file if there is none, private to its user; refuse one that is not ours.

    Nothing is written to a file that is refused.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return
    except FileExistsError:
        pass
    if os.path.isdir(path):
        raise _unavailable("not_a_store", path, "none", "it is a folder")
    if not os.path.isfile(path):
        raise _unavailable("not_a_store", path, "none", "it is no regular file")
    if not (os.access(path, os.W_OK) and os.access(folder, os.W_OK)):
        raise _unavailable("read_only", path, "none", "no permission to write")
    # A journal beside it means that its first transaction broke off: SQLite will mend it.
    if _identity(path) not in _open and not os.path.exists(path + "-journal"):
        with open(path, "rb") as file:
            _check_header(file.read(100), path)


def _check_header(header: bytes, path: str) -> None:
    """Judge the first 100 bytes of a database: https://www.sqlite.org/fileformat.html."""
    if not header:
        return  # an empty file is an empty database
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise _unavailable("not_a_store", path, "none", "it is no SQLite database")
    if int.from_bytes(header[68:72], "big") != schema.APPLICATION_ID:
        raise _unavailable("not_a_store", path, "none", "another program's database")
    schema.check_version(int.from_bytes(header[60:64], "big"))


def _connect(path: str, patience: float) -> sqlite3.Connection:
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    if os.name == "nt":
        quoted = "/" + quoted.replace("\\", "/")
    return sqlite3.connect(
        f"file:{quoted}?mode=rw",
        uri=True,
        isolation_level=None,
        timeout=patience,
        check_same_thread=False,
    )


def _set_modes(db: sqlite3.Connection) -> None:
    """Let readers and a writer work at once, and make each commit survive a power loss."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            # Changing the mode does not wait for locks by itself.
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise sqlite3.OperationalError(f"its journal mode stays {mode}")
    db.execute("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":
        db.execute("PRAGMA fullfsync = 1")


def _make_private(path: str) -> None:
    status = os.stat(path)
    if os.name == "posix" and status.st_mode & 0o077 and status.st_uid == os.geteuid():
        os.chmod(path, 0o600)


def _refuse_network(path: str) -> None:
    where = os.path.realpath(path)
    point, kind = "", ""
    for mounted, its_kind in _mounts():
        inside = where == mounted or where.startswith(mounted.rstrip("/\\") + os.sep)
        if inside and len(mounted) >= len(point):
            point, kind = mounted, its_kind
    if kind in _NETWORK:
        raise _unavailable("network", path, "none", kind)


def _mounts() -> list[tuple[str, str]]:
    """List the mount points and the kinds of their file systems."""
    if not sys.platform.startswith("linux"):
        import psutil

        parts = psutil.disk_partitions(all=True)
        return [
            (part.mountpoint, "remote" if "remote" in part.opts.split(",") else part.fstype)
            for part in parts
        ]
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
        lines = [line.split()[1:3] for line in file]
    return [(point.replace("\\040", " "), kind) for point, kind in lines]
