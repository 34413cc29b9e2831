"""Who may change a store: only its owner. Anyone else could answer events in the user's name.

On Windows, where files have no such owners and modes, only the types of the files are checked.
"""

from __future__ import annotations

import os
import stat
import sys

from flyte_sidecar.backends.local.error_translation import unavailable

LOG, INDEX, JOURNAL = "-wal", "-shm", "-journal"
"""The suffixes of SQLite's log, the log's index, and the older rollback journal."""


def check_folder(path: str) -> None:
    """Raise if anyone may replace the store in its folder.

    A group is allowed to: on many systems a user's folders are writable by the user's own group.
    So is the owner of the folder, often another user if containers share it.
    """
    folder = os.path.dirname(path)
    mode = os.stat(folder).st_mode
    if sys.platform != "win32" and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        detail = f"every user may replace files in {folder}: create a private folder for the store"
        raise unavailable("permissions", path, "none", detail)


def check_files(path: str) -> None:
    """Raise unless those files of the store that exist belong only to its owner.

    Nothing is opened: a FIFO would block, and closing the store would drop SQLite's locks.
    """
    store = _status(path)
    if store is not None:
        if not stat.S_ISREG(store.st_mode):
            what = "a folder" if stat.S_ISDIR(store.st_mode) else "not a regular file"
            raise unavailable("not_a_store", path, "none", f"it is {what}")
        _check_owner(path, path, store, store)
    for name in (path + LOG, path + INDEX, path + JOURNAL):
        status = _status(name)
        if status is None:
            continue
        if not stat.S_ISREG(status.st_mode):
            raise unavailable("io", path, "none", f"{name} is not a regular file: remove it")
        _check_owner(path, name, status, store)


def make_private(path: str) -> None:
    """Remove the read permission of other users."""
    for name in (path, path + LOG, path + INDEX):
        status = os.stat(name)
        if sys.platform == "win32":
            return
        if status.st_mode & 0o077 and status.st_uid == os.geteuid():
            os.chmod(name, 0o600)


def _status(name: str) -> os.stat_result | None:
    try:
        return os.lstat(name)
    except FileNotFoundError:
        return None


def _check_owner(
    path: str, name: str, status: os.stat_result, store: os.stat_result | None
) -> None:
    """Check the owner and mode of one file against the owner of the store, if it exists yet."""
    if sys.platform == "win32":
        return
    user, mode = os.geteuid(), stat.S_IMODE(status.st_mode)
    owner = user if store is None else store.st_uid
    if user not in (0, owner) or status.st_uid not in (user, owner):
        detail = f"{name} belongs to another user (uid {status.st_uid})"
        raise unavailable("permissions", path, "none", detail)
    # Root may use another user's file, but must not change its mode for that user.
    if mode & (0o022 if status.st_uid == user else 0o077):
        detail = f"{name} is not private to its owner (mode {mode:04o})"
        raise unavailable("permissions", path, "none", detail)
