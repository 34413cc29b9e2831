"""The declarations in the files of a workspace that are not open."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from cachetools import LRUCache
from msgspec.structs import replace

from flyte_sidecar.lsp.source.parser import ParsedSource, SourceFile
from flyte_sidecar.lsp.source.text import SourceText

MAX_FILES = 20_000
"""Python files of a workspace that are searched at most."""

MAX_FILE_BYTES = 1 << 20
"""Size of a file above which it is not searched."""

TIMEOUT = 2.0
"""Seconds after which a search returns what it has found."""

MAX_CACHED_BYTES = 16 << 20
"""Total size of the files whose declarations are cached."""

FUNCTIONS = (b"new_condition", b"new_event")

_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages", "venv"})


class WorkspaceFiles:
    """Searches files on disk, in any thread.

    Attributes
    ----------
    lock
        Hold it during a search.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self._cache: LRUCache[tuple[str, int, int], ParsedSource] = LRUCache(
            MAX_CACHED_BYTES, lambda parsed: len(parsed.text)
        )

    def search(
        self, folders: Sequence[str], skipped: Collection[str]
    ) -> Iterator[tuple[str, ParsedSource]]:
        """Yield the path of each file that may declare events, and what it contains.

        Parameters
        ----------
        folders
            Paths of the workspace folders.
        skipped
            Paths of the files that are open in the editor.
        """
        deadline = time.monotonic() + TIMEOUT
        for count, path in enumerate(_python_files(folders)):
            if count >= MAX_FILES or time.monotonic() > deadline:
                return
            if path not in skipped and (parsed := self._parsed(path)) is not None:
                yield path, parsed

    def _parsed(self, path: str) -> ParsedSource | None:
        try:
            status = os.stat(path)
            if status.st_size > MAX_FILE_BYTES:
                return None
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


def _python_files(folders: Sequence[str]) -> Iterator[str]:
    for folder in folders:
        for parent, inner, files in os.walk(folder):
            inner[:] = sorted(
                name for name in inner if not name.startswith(".") and name not in _SKIPPED
            )
            for name in sorted(files):
                if name.endswith(".py"):
                    yield os.path.join(parent, name)
