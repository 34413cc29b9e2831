"""Verbs in the process of the tests, on an embedded store and on a deployment."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import flyte_sidecar
from flyte_sidecar.cli.main import main
from tests.e2e.deployment import SCOPE, scoped_options
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server


class Done(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        [line] = self.lines
        return json.loads(line)


Verb = Callable[..., Done]


@pytest.fixture
def verb(store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Verb:
    """Runs a verb whose stdout and stderr are files."""
    monkeypatch.setenv("FLYTE_SIDECAR_STORE", str(store))
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(sys, stream, getattr(sys, stream))  # the command replaces them

    def run(*arguments: str) -> Done:
        capfd.readouterr()
        status = main(arguments)
        out, err = capfd.readouterr()
        return Done(status, out, err)

    return run


class Backend:
    """A backend: its options, and events of the run r1."""

    options: tuple[str, ...] = ()

    def ask(self, name: str, expected_type: str = "bool", **more: Any) -> str:
        """Create an event, and return its id."""
        raise NotImplementedError


class Local(Backend):
    def ask(self, name: str, expected_type: str = "bool", **more: Any) -> str:
        types = {"bool": bool, "int": int, "float": float, "str": str}
        kind: Any = types[expected_type]
        parent = more.pop("parent", "a0")
        event = flyte_sidecar.Event.create(name, "r1", parent, expected_type=kind, **more)
        return event.action_name


class Deployment(Backend):
    def __init__(self, server: Server) -> None:
        self.server = server
        self.options = scoped_options(server.endpoint)

    def ask(self, name: str, expected_type: str = "bool", **more: Any) -> str:
        if parent := more.get("parent"):
            self.server.model.task("r1", "train", action=parent, **SCOPE)
        return self.server.model.ask("r1", name, expected_type, **more, **SCOPE)


@pytest.fixture
def local(store: Path) -> Iterator[Backend]:
    flyte_sidecar.init(store=store)
    yield Local()
    flyte_sidecar.init(store=store.parent / "closed.db")


@pytest.fixture
def deployment() -> Iterator[Deployment]:
    with Server(Model()) as server:
        yield Deployment(server)


@pytest.fixture(params=["local", "deployment"])
def backend(request: pytest.FixtureRequest) -> Backend:
    backend: Backend = request.getfixturevalue(request.param)
    return backend
