"""The embedded store under test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sidecar.backends.local import LocalBackend, rows
from sidecar.events.backend import EventBackend
from sidecar.events.model import Event, NewEvent
from tests.contract.harness import RUN


class LocalHarness:
    can_create = True

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._backend = LocalBackend(folder / "events.db")
        self._offset = 0.0
        real = rows.now
        monkeypatch.setattr(rows, "now", lambda: real() + round(self._offset * 1e6))

    def backend(self) -> EventBackend:
        return self._backend

    async def make(
        self, name: str, expected_type: Any = "bool", *, parent: str, expires_in: float | None
    ) -> Event:
        return await self._backend.create(
            NewEvent(
                run=RUN,
                name=name,
                parent=parent,
                expected_type=expected_type,
                expires_in=expires_in,
            )
        )

    def pass_time(self, seconds: float) -> None:
        self._offset += seconds

    async def close(self) -> None:
        await self._backend.close()
