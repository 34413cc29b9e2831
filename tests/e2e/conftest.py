"""Fixtures that start processes, which end with the test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.deployment import ServerProcess, scoped_options
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
    """Start sidecars on the test's store."""
    started: list[Process] = []

    def start(*arguments: str, **popen_options: Any) -> Process:
        started.append(Process(store, *arguments, **popen_options))
        return started[-1]

    yield start
    for process in started:
        process.clear()


@pytest.fixture
def watcher(spawn: Spawn) -> Iterator[Watcher]:
    """A client of a sidecar on the test's store; the sidecar must not write to stderr."""
    watcher = Watcher(spawn())
    yield watcher
    assert watcher.process.stderr_text() == ""


@pytest.fixture
def connect(store: Path) -> Iterator[Connect]:
    """Start sidecars on the Flyte deployment at an endpoint; the first must not write to stderr."""
    started: list[Process] = []

    def start(endpoint: str, *arguments: str, **popen_options: Any) -> Process:
        options = {"backend_options": scoped_options(endpoint), **popen_options}
        started.append(Process(store, *arguments, **options))
        return started[-1]

    yield start
    for process in started:
        process.clear()
    if started:
        assert started[0].stderr_text() == ""
        assert not store.exists()


@pytest.fixture
def release() -> str:
    """The release of Flyte's backend; a test that needs another parametrizes it."""
    return "2.0.43"


@pytest.fixture
def server(release: str) -> Iterator[Server]:
    """A deployment in this process."""
    with Server(Model(release)) as server:
        yield server


@pytest.fixture
def server_process(release: str, tmp_path: Path) -> Iterator[ServerProcess]:
    """A deployment in its own process, which the test starts."""
    with ServerProcess(release, tmp_path / "state.json") as process:
        yield process


@pytest.fixture(autouse=True)
def only_posix() -> None:
    if sys.platform == "win32":
        pytest.skip("these tests use descriptors and signals of POSIX")
