"""Processes that end with their test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.deployment import ServerProcess, where
from tests.e2e.process import Process
from tests.e2e.watcher import Watcher
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

Spawn = Callable[..., Process]
Connect = Callable[..., Process]
OLD_AND_NEW = pytest.mark.parametrize(
    "release", [pytest.param("2.0.28", marks=pytest.mark.versions), "2.0.43"]
)


@pytest.fixture
def spawn(store: Path) -> Iterator[Spawn]:
    """Start sidecars over the test's store."""
    started: list[Process] = []

    def start(*words: str, **how: Any) -> Process:
        started.append(Process(store, *words, **how))
        return started[-1]

    yield start
    for process in started:
        process.clear()


@pytest.fixture
def watcher(spawn: Spawn) -> Iterator[Watcher]:
    """Give a client of a sidecar over the test's store, which may write nothing to stderr."""
    watcher = Watcher(spawn())
    yield watcher
    assert watcher.process.said() == ""


@pytest.fixture
def connect(store: Path) -> Iterator[Connect]:
    """Start sidecars on a Flyte deployment, by its endpoint; none may write to stderr."""
    started: list[Process] = []

    def start(endpoint: str, *words: str, **how: Any) -> Process:
        given = {"where": where(endpoint), **how}
        started.append(Process(store, *words, **given))
        return started[-1]

    yield start
    for process in started:
        process.clear()
    if started:
        assert started[0].said() == ""
        assert not store.exists()


@pytest.fixture
def release() -> str:
    """The release of Flyte's backend; parametrize a test by it to choose others."""
    return "2.0.43"


@pytest.fixture
def server(release: str) -> Iterator[Server]:
    """A deployment in this process."""
    with Server(Model(release)) as server:
        yield server


@pytest.fixture
def server_process(release: str, tmp_path: Path) -> Iterator[ServerProcess]:
    """A deployment in a process of its own, not started yet."""
    with ServerProcess(release, tmp_path / "state.json") as process:
        yield process


@pytest.fixture(autouse=True)
def only_posix() -> None:
    if sys.platform == "win32":
        pytest.skip("these tests speak of descriptors and signals")
