from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.fake_runservice.client import GrpcClient
from tests.fake_runservice.clock import Clock
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

OPEN = ("2.0.28", "2.0.30", "2.0.43")
"""The releases of the open-source backend that support signals and differ from each other."""


@pytest.fixture(params=OPEN)
def release(request: pytest.FixtureRequest) -> str:
    """Every release; parametrize a test with `release` to select some."""
    return str(request.param)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 5, 4, 12, 30, 15, 250_000, tzinfo=UTC))


@pytest.fixture
def model(release: str, clock: Clock) -> Model:
    return Model(release, clock)


@pytest.fixture
def server(model: Model) -> Iterator[Server]:
    with Server(model) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[GrpcClient]:
    client = GrpcClient(server.endpoint)
    with client.channel:
        yield client
