"""The declarations in the files of a workspace that are not open."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import TypeAlias, TypeVar

from cachetools import LRUCache
from msgspec.structs import replace

from flyte_sidecar._futures import run_in_thread
from flyte_sidecar.lsp.source.parser import ParsedSource, SourceFile
from flyte_sidecar.lsp.source.text import SourceText

T = TypeVar("T")
Find: TypeAlias = Callable[[str, ParsedSource], list[T]]

MAX_PATHS = 200_000
"""Files and folders of a workspace that are searched at most."""

MAX_FILE_BYTES = 1 << 20
"""Size of a file above which it is not searched."""

TIMEOUT = 2.0
"""Seconds after which a search returns what it has found."""

MAX_CACHED_BYTES = 16 << 20
"""Total size of the files whose declarations are cached."""

FUNCTIONS = (b"new_condition", b"new_event")

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


class WorkspaceFiles:
    """Searches files on disk in a thread, one search at a time."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._searching = threading.Lock()  # a search that was cancelled may not have ended yet
        self._cache: LRUCache[tuple[str, int, int], ParsedSource] = LRUCache(
            MAX_CACHED_BYTES, lambda parsed: len(parsed.text)
        )

    async def search(
        self, folders: Sequence[str], skipped: Collection[str], find: Find[T]
    ) -> list[T]:
        """Return what is found in the files that may declare events.

        Parameters
        ----------
        folders
            Paths of the workspace folders.
        skipped
            Paths of the files that are open in the editor.
        find
            Returns what is found in a file, from its path and what it contains; runs in a thread.
        """
        async with self._turn:
            ended = threading.Event()
            try:
                return await run_in_thread(self._search, folders, skipped, find, ended)
            finally:
                ended.set()  # also if the search was cancelled

    def _search(
        self,
        folders: Sequence[str],
        skipped: Collection[str],
        find: Find[T],
        ended: threading.Event,
    ) -> list[T]:
        found: list[T] = []
        deadline = time.monotonic() + TIMEOUT
        with self._searching:
            for count, path in enumerate(_paths(folders)):
                if count >= MAX_PATHS or time.monotonic() > deadline or ended.is_set():
                    break
                if path.endswith(".py") and path not in skipped:
                    parsed = self._parsed(path)
                    if parsed is not None:
                        found += find(path, parsed)
        return found

    def _parsed(self, path: str) -> ParsedSource | None:
        try:
            status = os.stat(path)
            if not S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
                return None  # reading a pipe would wait for its writer
            key = (path, status.st_mtime_ns, status.st_size)
            if (cached := self._cache.get(key)) is not None:
                return cached
            data = Path(path).read_bytes()
            if not any(function in data for function in FUNCTIONS):
                return None
            parsed = SourceFile(SourceText(data.decode())).snapshot().parse()
        except (OSError, ValueError):  # it is gone, unreadable, or not UTF-8
            return None
        # Without the tree, which takes 50 times the memory of the text.
        self._cache[key] = parsed = replace(parsed, tree=None, values=None)
        return parsed


def _paths(folders: Sequence[str]) -> Iterator[str]:
    """Yield the paths of all files and folders, except for those that contain no own code."""
    for folder in folders:
        for parent, inner, files in os.walk(folder):
            inner[:] = sorted(
                name for name in inner if not name.startswith(".") and name not in _SKIPPED
            )
            yield parent
            for name in sorted(files):
                yield os.path.join(parent, name)
