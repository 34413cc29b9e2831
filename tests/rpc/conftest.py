from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from flyte_sidecar.rpc import shutdown
from tests.rpc.fake_server import FakeServer


@pytest.fixture
async def server(server_type: type[FakeServer]) -> AsyncIterator[FakeServer]:
    """A connection to fake methods, of the type that the test's module chooses."""
    server = server_type()
    yield server
    await server.close()


@pytest.fixture
def server_type() -> type[FakeServer]:
    return FakeServer


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeouts of a shutdown."""
    for name, seconds in {
        "DRAIN_TIMEOUT": 0.1,
        "WRITE_DRAIN_TIMEOUT": 0.2,
        "SHUTDOWN_TIMEOUT": 0.1,
        "CANCEL_TIMEOUT": 0.02,
    }.items():
        monkeypatch.setattr(shutdown, name, seconds)
