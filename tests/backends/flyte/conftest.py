from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.flyte import FlyteHarness
from tests.contract.harness import BackendClient


@pytest.fixture
def release() -> str:
    """The release of the backend; a test that needs another one parametrizes it."""
    return "2.0.43"


@pytest.fixture
def flyte(release: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlyteHarness]:
    with FlyteHarness(release, monkeypatch) as harness:
        yield harness


@pytest.fixture
async def client(flyte: FlyteHarness) -> AsyncIterator[BackendClient]:
    client = BackendClient(flyte)
    yield client
    await client.close()
