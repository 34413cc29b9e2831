"""Checking a file before SQLite opens it: a file that is rejected is not modified.

The formats are those of https://www.sqlite.org/fileformat.html.
"""

from __future__ import annotations

import os
from contextlib import suppress

from flyte_sidecar.backends.local import tables
from flyte_sidecar.backends.local.error_translation import unavailable
from flyte_sidecar.backends.local.ownership import JOURNAL, LOG

_MAGIC = b"SQLite format 3\0"
_SIZE = 100
_FRAME = 24

_START = 1 << 16
"""Bytes that contain the definitions of a store's tables and its first events."""

_MARKS = (tables.MIGRATIONS[0][0].encode(), b'"actionName":"e')


def check(path: str) -> None:
    """Raise unless the file is a store of this release or an older one, or empty."""
    with open(path, "rb") as file:
        start = file.read(_START)
    header = start[:_SIZE]
    if not header:
        return  # an empty file is an empty database
    if not any(header) and os.path.exists(path + JOURNAL):
        return  # its first transaction was interrupted, and SQLite will roll it back
    if len(header) == _SIZE and header.startswith(_MAGIC) and _is_marked(header):
        tables.check_version(_version(header), path)
        with suppress(FileNotFoundError):
            _check_log(path)
    elif _may_be_damaged(start):
        raise unavailable("io", path, "none", "the file is damaged: its first page cannot be read")
    else:
        what = "another program's" if header.startswith(_MAGIC) else "not an SQLite"
        raise unavailable("not_a_store", path, "none", f"the file is {what} database")


def _is_marked(header: bytes) -> bool:
    return int.from_bytes(header[68:72], "big") == tables.APPLICATION_ID


def _may_be_damaged(start: bytes) -> bool:
    """Return whether a file that is not a valid store has any sign of one.

    A user who takes it for something else may delete it. After a disk failure or a crash, pages
    are often filled with zeros.
    """
    if not any(start) or _is_marked(start):
        return True
    cut_off = start.startswith(_MAGIC[: len(start)]) and len(start) < _SIZE
    return cut_off or (b"\0" in start and any(mark in start for mark in _MARKS))


def _version(header: bytes) -> int:
    return int.from_bytes(header[60:64], "big")


def _check_log(path: str) -> None:
    """Raise if the log contains a newer version of the schema.

    SQLite would report it too, but closing the file would write the log into it.
    """
    with open(path + LOG, "rb") as file:
        start = file.read(32)
        page_size, salt = int.from_bytes(start[8:12], "big"), start[16:24]
        found = 0
        while len(frame := file.read(_FRAME)) == _FRAME and frame[8:16] == salt:
            if int.from_bytes(frame[:4], "big") == 1:
                found = _version(file.read(_SIZE))
                file.seek(-_SIZE, os.SEEK_CUR)
            if any(frame[4:8]):  # the last page of a commit
                tables.check_version(found, path)
            file.seek(page_size, os.SEEK_CUR)
