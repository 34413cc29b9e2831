"""What SQLite and the operating system raise, as the errors of the contract."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from flyte_sidecar.errors import SidecarError, StoreBusy, StoreUnavailable

ROOM = 1 << 18
"""Bytes that a new store, its log and the log's index take together, and some more."""


SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's statements raise; the second where a message quotes a damaged schema."""


@contextmanager
def translate_errors(path: str, outcome: str = "none") -> Iterator[None]:
    """Turn what is raised inside into the errors of the contract.

    `outcome` is what is known of a write that fails so.
    """
    try:
        yield
    except SQLITE_ERRORS as error:
        raise as_error(error, path, outcome) from error
    except OSError as error:
        reason = _REASONS_OS.get(error.errno or 0, "io")
        raise unavailable(reason, path, outcome, error.strerror or str(error)) from error


def as_error(error: Exception, path: str, outcome: str) -> SidecarError:
    """Give the contract's error for one of SQLite's."""
    if is_busy(error):
        return StoreBusy(f"another process keeps the store {path} locked", outcome="none")
    code = _code(error)
    if code in _REASONS:
        return unavailable(_REASONS[code], path, "none", str(error))
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, UnicodeError):
        # It was a store when it was opened: nobody must think that it can be deleted.
        return unavailable("io", path, outcome, f"it is damaged: {error}")
    reason = "io"
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and is_full(path):
        reason = "full"  # SQLite says so itself only of the database and its log
    return unavailable(reason, path, outcome, str(error))


def is_busy(error: Exception) -> bool:
    """Tell whether the same statement may succeed in a moment."""
    return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether one row may be the cause: broken, enormous, or unfit for its table."""
    return _code(error) in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
    )


def unavailable(reason: str, path: str, outcome: str, detail: str) -> StoreUnavailable:
    """Say why the store cannot be used, in a sentence."""
    return StoreUnavailable(
        f"the store {path} {_SENTENCES[reason]} ({detail})", reason=reason, outcome=outcome
    )


def dooms(error: sqlite3.Error) -> bool:
    """Return whether SQLite lets no transaction commit that has met the error."""
    return bool(getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT)


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def is_full(path: str) -> bool:
    """Tell whether the disk has no room for the files that SQLite makes beside a store."""
    with suppress(OSError):
        return shutil.disk_usage(os.path.dirname(os.path.realpath(path))).free < ROOM
    return False


_SENTENCES = {
    "not_a_store": "is not a flyte-sidecar store",
    "newer": "was made by a newer flyte-sidecar: use that one",
    "full": "is on a disk that is full",
    "read_only": "cannot be written to",
    "network": "is on a file system that other machines share, where SQLite's log does not work",
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
    errno.EEXIST: "not_a_store",  # a file stands where a folder must
    errno.EISDIR: "not_a_store",
    errno.ENOTDIR: "not_a_store",
}
