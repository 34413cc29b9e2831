"""Checking a file before SQLite opens it: a file that is rejected is not modified.

The formats are those of https://www.sqlite.org/fileformat.html.
"""

from __future__ import annotations

import os
from contextlib import suppress

from flyte_sidecar.backends.local import migrations
from flyte_sidecar.backends.local.error_translation import unavailable
from flyte_sidecar.backends.local.ownership import JOURNAL, LOG

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_FRAME_BYTES = 24  # the header of a frame in the log

_PREFIX_BYTES = 1 << 16
"""Bytes of a store that contain the definitions of its tables and its first events."""

_STORE_SIGNATURES = (migrations.MIGRATIONS[0][0].encode(), b'","actionName":"')


def check_header(path: str) -> None:
    """Raise unless the file is a store of this release or an older one, or empty."""
    with open(path, "rb") as file:
        prefix = file.read(_PREFIX_BYTES)
    header = prefix[:_HEADER_BYTES]
    if not header:
        return  # an empty file is an empty database
    if not any(header) and os.path.exists(path + JOURNAL):
        return  # its first transaction was interrupted, and SQLite will roll it back
    if len(header) == _HEADER_BYTES and header.startswith(_MAGIC) and _has_application_id(header):
        migrations.check_version(_version(header), path)
        with suppress(FileNotFoundError):
            _check_log(path)
    elif _may_be_damaged(prefix):
        raise unavailable("io", path, "none", "the file is damaged: its first page cannot be read")
    else:
        what = "another program's" if header.startswith(_MAGIC) else "not an SQLite"
        raise unavailable("not_a_store", path, "none", f"the file is {what} database")


def _has_application_id(header: bytes) -> bool:
    return int.from_bytes(header[68:72], "big") == migrations.APPLICATION_ID


def _may_be_damaged(prefix: bytes) -> bool:
    """Return whether a file that is not a valid store may be a damaged one.

    If the error did not say so, a user might delete the file. After a disk failure or a crash,
    pages are often filled with zeros.
    """
    if not any(prefix) or _has_application_id(prefix):
        return True
    cut_off = prefix.startswith(_MAGIC[: len(prefix)]) and len(prefix) < _HEADER_BYTES
    return cut_off or (b"\0" in prefix and any(text in prefix for text in _STORE_SIGNATURES))


def _version(header: bytes) -> int:
    return int.from_bytes(header[60:64], "big")


def _check_log(path: str) -> None:
    """Raise if the log contains a newer version of the schema.

    SQLite would report it too, but closing the file would write the log into it.
    """
    with open(path + LOG, "rb") as file:
        header = file.read(32)
        page_size, salt = int.from_bytes(header[8:12], "big"), header[16:24]
        found = 0
        while len(frame := file.read(_FRAME_BYTES)) == _FRAME_BYTES and frame[8:16] == salt:
            if int.from_bytes(frame[:4], "big") == 1:
                found = _version(file.read(_HEADER_BYTES))
                file.seek(-_HEADER_BYTES, os.SEEK_CUR)
            if any(frame[4:8]):  # the last page of a commit
                migrations.check_version(found, path)
            file.seek(page_size, os.SEEK_CUR)
