"""Local runs of real SDKs, with a sidecar on the same store."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TEST_TIMEOUT
from tests.e2e.conftest import spawn
from tests.e2e.process import Process
from tests.flyte_sdk import sdk_and_sidecar

__all__ = ["spawn"]

WORKFLOWS = Path(__file__).parent / "workflow.py"

OLDEST, NEWEST = "2.3.8", "newest"


def of_releases(*names: str) -> pytest.MarkDecorator:
    """Run a test with releases of the SDK: the newest always, others with `make test-versions`."""
    return pytest.mark.parametrize(
        "release",
        [
            pytest.param(name, marks=[] if name == NEWEST else pytest.mark.versions)
            for name in names
        ],
    )


class LocalRun:
    """A process that runs a workflow, without a terminal."""

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: dict[str, str],
        folder: Path = WORKFLOWS.parent,
    ) -> None:
        self.popen = subprocess.Popen(
            list(map(str, command)),
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[int, str, str]:
        """Wait for the end; return the exit status, stdout and stderr."""
        stdout, stderr = self.popen.communicate(timeout=TEST_TIMEOUT)
        return self.popen.returncode, stdout, stderr

    def result(self) -> Any:
        """Return the result of a workflow that succeeds."""
        status, stdout, stderr = self.end()
        assert status == 0, stderr
        return json.loads(stdout.rpartition("RESULT")[2])

    def clear(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.communicate()


Start = Callable[..., LocalRun]


@pytest.fixture
def release() -> str:
    """The release of the SDK; a test that needs others parametrizes it."""
    return NEWEST


@pytest.fixture
def python(release: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the SDK and this project."""
    requirement = "flyte" if release == NEWEST else f"flyte=={release}"
    return sdk_and_sidecar(requirement, tmp_path_factory)


@pytest.fixture
def home(store: Path, tmp_path: Path) -> dict[str, str]:
    """Environment variables of a user with an empty home folder and the test's store."""
    folder = tmp_path / "home"
    folder.mkdir()
    return {**os.environ, "FLYTE_SIDECAR_STORE": str(store), "HOME": str(folder)}


@pytest.fixture
def start(python: Path, home: dict[str, str]) -> Iterator[Start]:
    """Start local runs on the test's store."""
    started: list[LocalRun] = []

    def begin(*arguments: str, **variables: str) -> LocalRun:
        run = LocalRun((python, WORKFLOWS, *arguments), home | variables)
        started.append(run)
        return run

    yield begin
    for run in started:
        run.clear()


class Inbox:
    """The pending events of the store, as a sidecar reports them."""

    def __init__(self, sidecar: Process) -> None:
        self.sidecar = sidecar
        self.events: dict[str, Any] = {}  # by action
        sidecar.request("inbox", "events.watch", watch="inbox")

    def wait_for(self, *names: str) -> dict[str, Any]:
        """Wait until exactly these events are pending; return them by name, the last of equals."""
        while sorted(event["name"] for event in self.events.values()) != sorted(names):
            self._receive()
        return {event["name"]: event for event in self.events.values()}

    def answer(self, event: Any, payload: Any) -> None:
        key = {name: event[name] for name in ("runName", "actionName")}
        self.sidecar.request(event["actionName"], "events.signal", **key, payload=payload)

    def _receive(self) -> None:
        message = self.sidecar.answer()
        if message.get("method") != "events.changed":
            assert "error" not in message, message
            return
        event = message["params"]["event"]
        if event["pending"]:
            self.events[event["actionName"]] = event
        else:
            self.events.pop(event["actionName"], None)
        self.ended = event


@pytest.fixture
def inbox(spawn: Callable[..., Process]) -> Inbox:
    return Inbox(spawn())
