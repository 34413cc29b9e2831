"""The embedded store under test."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyte_sidecar.backends.local import LocalBackend, rows
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import Run, TaskName


class LocalHarness:
    can_create = True

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._backend = LocalBackend(folder / "events.db")
        self._offset = 0.0
        self._monkeypatch = monkeypatch
        real = rows.now
        monkeypatch.setattr(rows, "now", lambda: real() + round(self._offset * 1e6))

    def backend(self) -> EventBackend:
        return self._backend

    def choose_id(self, action: str) -> None:
        # Event ids are an "e" and 16 random hexadecimal digits.
        chosen = bytes.fromhex(action.removeprefix("e"))
        self._monkeypatch.setattr(
            "flyte_sidecar.backends.local.mutations.os.urandom", lambda _: chosen
        )

    def start_task(self, run: Run, name: TaskName) -> str | None:
        return None

    def pass_time(self, seconds: float) -> None:
        self._offset += seconds

    async def close(self) -> None:
        await self._backend.close()
