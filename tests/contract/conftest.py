from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.flyte import CONNECT, RELEASES, FlyteHarness
from tests.contract.harness import BackendClient, Harness
from tests.contract.local import LocalHarness
from tests.contract.merged import AllOnFlyteHarness, AllOnLocalHarness

ALL_ON_LOCAL = "all-local"
ALL_ON_FLYTE = "all-2.0.43"

OVER_CONNECT = pytest.param(CONNECT, marks=pytest.mark.versions)

BACKENDS = ("local", *RELEASES, OVER_CONNECT, ALL_ON_LOCAL)
"""Every backend; for Flyte, every release that behaves differently, and both transports."""

MERGED = ("test_inbox", "test_runs", "test_waits")
"""The modules that also run with a deployment behind both backends: these take seconds."""

LARGE = "test_a_thousand_"
"""How the names of tests of scale begin, which run with `SCALED` alone."""

SCALED = ("local", "2.0.43", OVER_CONNECT)
"""The backends whose scale differs: that of releases does not."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "harness" in metafunc.fixturenames:
        backends: list[Any] = [*BACKENDS]
        if metafunc.module.__name__.rpartition(".")[2] in MERGED:
            backends.append(ALL_ON_FLYTE)
        if metafunc.function.__name__.startswith(LARGE):
            backends = [*SCALED]
        metafunc.parametrize("harness", backends, indirect=True)


@pytest.fixture
def harness(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    """Every backend in turn."""
    with open_harness(request.param, tmp_path, monkeypatch) as harness:
        yield harness


@contextmanager
def open_harness(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    """Open a harness of the embedded store ("local"), of a release of Flyte, or of both."""
    if backend == "local":
        yield LocalHarness(tmp_path, monkeypatch)
    elif backend == ALL_ON_LOCAL:
        yield AllOnLocalHarness(tmp_path, monkeypatch)
    elif backend == ALL_ON_FLYTE:
        with AllOnFlyteHarness("2.0.43", tmp_path) as merged:
            yield merged
    else:
        with FlyteHarness(backend) as flyte:
            yield flyte


@pytest.fixture
async def client(harness: Harness) -> AsyncIterator[BackendClient]:
    client = BackendClient(harness)
    yield client
    await client.close()
