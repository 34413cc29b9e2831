from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.contract.flyte import CONNECT, RELEASES, FlyteHarness
from tests.contract.harness import BackendClient, Harness
from tests.contract.local import LocalHarness


@pytest.fixture(params=["local", *RELEASES, pytest.param(CONNECT, marks=pytest.mark.versions)])
def harness(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    """Every backend; for Flyte, every release that behaves differently, and both transports."""
    with open_harness(request.param, tmp_path, monkeypatch) as harness:
        yield harness


@contextmanager
def open_harness(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    """Open a harness of the embedded store ("local") or of a release of Flyte."""
    if backend == "local":
        yield LocalHarness(tmp_path, monkeypatch)
        return
    with FlyteHarness(backend) as flyte:
        yield flyte


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[BackendClient]:
    client = BackendClient(harness)
    yield client
    await client.close()
