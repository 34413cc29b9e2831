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
from pathlib import Path

from msgspec import json

from flyte_sidecar.events.intern_pool import EventKey

MAX_AGE = 28 * 86400.0
"""Seconds after which a claim is removed."""

MAX_CLAIMS = 10_000
"""Number of claims above which the oldest ones are removed."""

CLAIMS_PER_CLEANUP = 500
"""Number of claims of a process between removals of old ones; the first claim removes some too."""

_NAME = re.compile("[0-9a-f]{32}")


class Claims:
    """The claims in a folder that all processes of a user share, and nobody else can read.

    Parameters
    ----------
    state_folder
        The user's folder for the state of all sidecars. It is created if necessary.
    """

    def __init__(self, state_folder: Path) -> None:
        self._folder = state_folder / "asked"
        self._claimed = 0

    def claim(self, backend: str, key: EventKey) -> bool:
        """Claim an event of a backend; return False if it was claimed before, by any process.

        Raises
        ------
        OSError
            If the folder cannot be used.
        """
        self._make_private()
        if self._claimed % CLAIMS_PER_CLEANUP == 0:
            self._remove_old()
        name = hashlib.sha256(json.encode([backend, key])).hexdigest()[:32]
        try:
            os.close(os.open(self._folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        self._claimed += 1
        return True

    def _make_private(self) -> None:
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if os.name != "posix":
            return
        status = os.lstat(self._folder)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(f"{self._folder} is not a folder of the user")
        if status.st_mode & 0o077:
            self._folder.chmod(0o700)

    def _remove_old(self) -> None:
        with os.scandir(self._folder) as entries:
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
