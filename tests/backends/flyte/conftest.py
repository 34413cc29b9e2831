from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import trustme

from flyte_sidecar.backends.flyte.timing import Timing
from tests.contract.flyte import FAST, FlyteHarness
from tests.contract.harness import BackendClient


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """A certificate authority that no system trusts."""
    return trustme.CA()


@pytest.fixture
def release() -> str:
    """The release of Flyte's backend; a test that needs another parametrizes it."""
    return "2.0.43"


@pytest.fixture
def timing() -> Timing:
    """The intervals of the backend; a test that needs others parametrizes them with `timed`."""
    return FAST


@pytest.fixture
def flyte(release: str, timing: Timing) -> Iterator[FlyteHarness]:
    with FlyteHarness(release, timing) as harness:
        yield harness


@pytest.fixture
async def client(flyte: FlyteHarness) -> AsyncIterator[BackendClient]:
    client = BackendClient(flyte)
    yield client
    await client.close()
