from __future__ import annotations

import pytest

from flyte_sidecar.rpc import lifecycle


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a lifecycle's patience a fraction of the real one."""
    for name, seconds in {"WORK": 0.1, "WRITES": 0.2, "SHUTDOWN": 0.1, "SETTLE": 0.02}.items():
        monkeypatch.setattr(lifecycle, name, seconds)
