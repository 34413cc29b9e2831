"""The search of the files of a workspace."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

import pytest

from flyte_sidecar.lsp import workspace_files
from flyte_sidecar.lsp.source.parser import ParsedSource
from flyte_sidecar.lsp.workspace_files import WorkspaceFiles

DECLARING = 'import flyte\nflyte.new_condition("a")\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / name).write_text(DECLARING)
    return tmp_path


def names(path: str, _: ParsedSource) -> list[str]:
    return [Path(path).name]


async def search(folder: Path, *skipped: Path) -> list[str]:
    return await WorkspaceFiles().search([str(folder)], {*map(str, skipped)}, names)


async def test_files_that_may_declare_events_are_found(folder: Path) -> None:
    (folder / "d.py").write_text("import flyte\n")
    (folder / "e.txt").write_text(DECLARING)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "f.py").write_text(DECLARING)
    (folder / "inner").mkdir()
    (folder / "inner" / "g.py").write_text(DECLARING)
    assert await search(folder, folder / "b.py") == ["a.py", "c.py", "g.py"]


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
async def test_a_pipe_is_not_read(folder: Path) -> None:
    os.mkfifo(folder / "b0.py")
    assert await search(folder) == ["a.py", "b.py", "c.py"]


async def test_the_search_is_bounded_where_there_are_no_python_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace_files, "MAX_PATHS", 10)
    for number in range(20):
        (folder / f"0{number:02}.txt").touch()
    assert await search(folder) == []


async def test_a_cancelled_search_stops_before_the_next_one_starts(folder: Path) -> None:
    files, started, proceed = WorkspaceFiles(), threading.Event(), threading.Event()
    first: list[str] = []

    def block(path: str, parsed: ParsedSource) -> list[str]:
        first.append(path)
        started.set()
        proceed.wait()
        return []

    def find(path: str, parsed: ParsedSource) -> list[str]:
        assert proceed.is_set()
        return names(path, parsed)

    cancelled = asyncio.ensure_future(files.search([str(folder)], set(), block))
    await asyncio.to_thread(started.wait)
    cancelled.cancel()
    following = asyncio.ensure_future(files.search([str(folder)], set(), find))
    await asyncio.wait({cancelled})
    proceed.set()
    assert await following == ["a.py", "b.py", "c.py"]
    assert len(first) == 1
