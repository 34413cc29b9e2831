"""Judging a file before SQLite opens it: one that is refused is not touched.

The formats are those of https://www.sqlite.org/fileformat.html.
"""

from __future__ import annotations

import os
from contextlib import suppress

from sidecar.backends.local import schema
from sidecar.backends.local.failures import unavailable

_MAGIC = b"SQLite format 3\0"
_SIZE = 100
_FRAME = 24


def check(path: str) -> None:
    """Raise unless the file is a store of this release or an older one, or empty."""
    with open(path, "rb") as file:
        header = file.read(_SIZE)
    if not header:
        return  # an empty file is an empty database
    if not any(header) and os.path.exists(path + "-journal"):
        return  # its first transaction broke off, and SQLite will take it back
    if len(header) < _SIZE or not header.startswith(_MAGIC):
        raise unavailable("not_a_store", path, "none", "it is no SQLite database")
    if int.from_bytes(header[68:72], "big") != schema.APPLICATION_ID:
        raise unavailable("not_a_store", path, "none", "another program's database")
    schema.check_version(_version(header), path)
    with suppress(FileNotFoundError):
        _check_log(path)


def _version(header: bytes) -> int:
    return int.from_bytes(header[60:64], "big")


def _check_log(path: str) -> None:
    """Look for a newer version in the log.

    SQLite would say it too, but closing the file again would empty the log into it.
    """
    with open(path + "-wal", "rb") as file:
        start = file.read(32)
        page_size, salt = int.from_bytes(start[8:12], "big"), start[16:24]
        found = 0
        while len(frame := file.read(_FRAME)) == _FRAME and frame[8:16] == salt:
            if int.from_bytes(frame[:4], "big") == 1:
                found = _version(file.read(_SIZE))
                file.seek(-_SIZE, os.SEEK_CUR)
            if any(frame[4:8]):  # the last page of a commit
                schema.check_version(found, path)
            file.seek(page_size, os.SEEK_CUR)
