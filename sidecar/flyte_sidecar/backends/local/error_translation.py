"""Translating the errors of SQLite and the operating system into those of the contract."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flyte_sidecar.errors import SidecarError, StoreBusy, StoreUnavailable

MIN_FREE_BYTES = 1 << 18
"""Free bytes that a new store needs: the store, its log and the log's index, with a margin."""

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQL statements raise; the second if a message quotes a damaged schema."""


@contextmanager
def translate_errors(path: str, outcome: str = "none") -> Iterator[None]:
    """Translate errors raised inside into those of the contract, with the outcome of a write."""
    try:
        yield
    except SQLITE_ERRORS as error:
        raise as_error(error, path, outcome) from error
    except OSError as error:
        reason = _REASONS_OS.get(error.errno or 0, "io")
        raise unavailable(reason, path, outcome, error.strerror or str(error)) from error


def as_error(error: Exception, path: str, outcome: str) -> SidecarError:
    """Return the contract's error for an error of SQLite."""
    if is_busy(error):
        return StoreBusy(f"the store {path} is locked by another process", outcome="none")
    code = _code(error)
    if code in _REASONS:
        return unavailable(_REASONS[code], path, "none", str(error))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, UnicodeError):
        # It was a store when it was opened: the message must not suggest deleting it.
        return unavailable("io", path, outcome, f"the file is damaged: {error}")
    reason = "io"
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and is_full(path):
        reason = "full"  # SQLite reports a full disk only for the database and its log
    return unavailable(reason, path, outcome, str(error))


def is_busy(error: Exception) -> bool:
    """Return whether the same statement may succeed if it is retried."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether one row may be the cause: broken, too large, or invalid in its table."""
    return _code(error) in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
    )


def unavailable(reason: str, path: str, outcome: str, detail: str) -> StoreUnavailable:
    """Return the error of a store that cannot be used, with one of the contract's reasons."""
    return StoreUnavailable(
        f"the store {path} {_SENTENCES[reason]} ({detail})", reason=reason, outcome=outcome
    )


def aborts_transaction(error: sqlite3.Error) -> bool:
    """Return whether a transaction in which the error occurred can no longer commit."""
    return bool(getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT)


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def is_full(path: str) -> bool:
    """Return whether the disk has no room for the files that SQLite creates beside a store."""
    with suppress(OSError):
        return _free_bytes(os.path.dirname(os.path.realpath(path))) < MIN_FREE_BYTES
    return False


def _free_bytes(folder: str) -> int:
    if sys.platform == "win32":
        import shutil

        return shutil.disk_usage(folder).free
    # As shutil does, which takes 2 ms to import.
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


_SENTENCES = {
    "not_a_store": "is not a flyte-sidecar store",
    "newer": "was written by a newer flyte-sidecar: upgrade this one",
    "full": "is on a disk that is full",
    "read_only": "cannot be written to",
    "network": "is on a file system shared with other machines, where SQLite's log does not work",
    "replaced": "was deleted or replaced while it was in use",
    "permissions": "is not safe to use",
    "io": "cannot be read or written",
}

_REASONS = {
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
    errno.EEXIST: "not_a_store",  # a file where a folder is expected
    errno.EISDIR: "not_a_store",
    errno.ENOTDIR: "not_a_store",
}
