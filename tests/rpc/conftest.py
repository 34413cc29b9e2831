from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from flyte_sidecar.rpc import shutdown
from tests.rpc.bench import Bench


@pytest.fixture
async def bench(bench_type: type[Bench]) -> AsyncIterator[Bench]:
    """A connection to fake methods, of the type that the test's module chooses."""
    bench = bench_type()
    yield bench
    await bench.close()


@pytest.fixture
def bench_type() -> type[Bench]:
    return Bench


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
