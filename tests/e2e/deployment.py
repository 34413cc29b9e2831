"""Flyte deployments for sidecar processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, TEST_TIMEOUT
from tests.e2e.process import Process, kind
from tests.fake_runservice.model import ScopeArgs

RUN = "r1"
SCOPE: ScopeArgs = {"project": "p", "domain": "d"}


def scoped_options(endpoint: str) -> tuple[str, ...]:
    """Return the options that select a deployment, with the scope of these tests."""
    return (*flyte_options(endpoint), "--project", "p", "--domain", "d")


def flyte_options(endpoint: str) -> tuple[str, ...]:
    """Return the options without a scope."""
    return ("--backend", "flyte", "--endpoint", endpoint, "--insecure")


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + TEST_TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "the condition stayed false"
        time.sleep(0.001)


def write_past_deadline(sidecar: Process, method: str, **params: Any) -> dict[str, Any]:
    """Send a write whose deadline passes after it was sent, and return the data of its error.

    On a loaded machine the deadline may pass before that; then the timeout is doubled.
    """
    timeout = 0.5
    while True:
        sidecar.request("write", method, **params, timeoutSeconds=timeout)
        response = sidecar.answer()
        assert kind(response) == "deadline_exceeded"
        data: dict[str, Any] = response["error"]["data"]
        if data["outcome"] != "none":
            return data
        timeout *= 2


class ServerProcess:
    """A deployment in a process; its events exist again after a restart."""

    def __init__(self, release: str, state: Path) -> None:
        self._release = release
        self._state = state
        self._events: list[dict[str, Any]] = []
        self._process: subprocess.Popen[str] | None = None
        # Bound and not listening, it keeps the port from others while no server is there.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]
        self.endpoint = f"127.0.0.1:{self.port}"

    def create_event(self, name: str, action: str, **more: Any) -> None:
        """Add an event that exists from the next start."""
        self._events.append({"run": RUN, "name": name, "action": action, **SCOPE, **more})

    def start(self) -> None:
        self._state.write_text(json.dumps(self._events))
        arguments = (
            "--release",
            self._release,
            "--port",
            str(self.port),
            "--state",
            str(self._state),
        )
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fake_runservice", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{self.endpoint}\n"

    def open_streams(self) -> int:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._held.close()
