"""Which process of a user asks about an event: the first one that claims it.

A claim is an empty file whose name is a hash of the event. Creating it is atomic, and it outlives
the process, so that nobody asks again after a restart.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import json

from flyte_sidecar.events.intern_pool import EventKey

MAX_AGE = 28 * 86400.0
"""Seconds after which a claim is removed."""

MAX_CLAIMS = 10_000
"""Number of claims above which the oldest ones are removed."""

CLAIMS_PER_CLEANUP = 500
"""Number of claims that a process attempts between removals of old ones, which it begins with."""

_NAME = re.compile("[0-9a-f]{32}")


class Claims:
    """The claims in a folder that all processes of a user share, and nobody else can read.

    Parameters
    ----------
    state_folder
        Returns the user's folder for the state of all sidecars, which is created if necessary.
    """

    def __init__(self, state_folder: Callable[[], Path]) -> None:
        self._state_folder = state_folder
        self._attempts = 0

    def claim(self, backend: str, key: EventKey) -> bool:
        """Claim an event of a backend; return False if it was claimed before, by any process.

        Raises
        ------
        OSError, RuntimeError
            If the folder is unknown or cannot be used.
        """
        folder = self._state_folder() / "asked"
        _make_private(folder)
        if self._attempts % CLAIMS_PER_CLEANUP == 0:
            _remove_old(folder)
        self._attempts += 1
        name = hashlib.sha256(json.encode([backend, key])).hexdigest()[:32]
        try:
            os.close(os.open(folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True


def _make_private(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.name != "posix":
        return
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of the user")
    if status.st_mode & 0o077:
        folder.chmod(0o700)


def _remove_old(folder: Path) -> None:
    with os.scandir(folder) as entries:
        claims = [entry for entry in entries if _NAME.fullmatch(entry.name)]
    created: list[tuple[float, str]] = []
    for claim in claims:
        try:
            created.append((claim.stat(follow_symlinks=False).st_mtime, claim.path))
        except FileNotFoundError:
            continue  # another process removes old claims too
    created.sort(reverse=True)
    oldest = time.time() - MAX_AGE
    kept = [claim for claim in created[:MAX_CLAIMS] if claim[0] >= oldest]
    for _, path in created[len(kept) :]:
        Path(path).unlink(missing_ok=True)
