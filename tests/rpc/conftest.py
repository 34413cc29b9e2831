from __future__ import annotations

import pytest

from flyte_sidecar.rpc import shutdown


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeouts of a shutdown."""
    for name, seconds in {
        "DRAIN_TIMEOUT": 0.1,
        "WRITE_DRAIN_TIMEOUT": 0.2,
        "SHUTDOWN_TIMEOUT": 0.1,
        "CANCEL_TIMEOUT": 0.02,
    }.items():
        monkeypatch.setattr(shutdown, name, seconds)
