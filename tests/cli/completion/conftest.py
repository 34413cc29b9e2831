from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flyte_sidecar


@pytest.fixture
def local(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[flyte_sidecar.Event]]:
    """The events of the embedded store."""
    monkeypatch.setenv("FLYTE_SIDECAR_STORE", str(store))
    flyte_sidecar.init(store=store)
    yield flyte_sidecar.Event
    flyte_sidecar.init(store=store.parent / "closed.db")
