"""The stores that the local runs of one process use."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from flyte_sidecar.local_runs.run_store import selected_store
from flyte_sidecar.server.settings import STORE_VARIABLE


def open_stores(folder: Path) -> set[str]:
    """Return the names of the stores in a folder that this process has open."""
    opened = (Path(file.path) for file in psutil.Process().open_files())
    return {
        path.name for path in opened if path.parent == folder.resolve() and path.suffix == ".db"
    }


async def test_a_store_is_closed_once_no_wait_uses_it_and_another_is_selected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "a.db"))
    async with selected_store() as first:
        await first.check()
        monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / "b.db"))
        async with selected_store() as second:
            assert second is not first
            await second.check()
            assert open_stores(tmp_path) == {"a.db", "b.db"}
    for name in ("c.db", "d.db", "e.db"):
        monkeypatch.setenv(STORE_VARIABLE, str(tmp_path / name))
        async with selected_store() as store:
            await store.check()
            assert open_stores(tmp_path) == {name}
    async with selected_store() as again:
        assert again is store
