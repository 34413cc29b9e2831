"""The commands in the process of the tests, on an embedded store and a deployment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import flyte_sidecar
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.flyte_commands.cli import cli

Flyte = Callable[..., Result]

SCOPE: Any = {"project": "p", "domain": "d"}


@pytest.fixture
def flyte(store: Path, monkeypatch: pytest.MonkeyPatch) -> Flyte:
    """Runs the CLI with some arguments."""
    monkeypatch.setenv("FLYTE_SIDECAR_STORE", str(store))
    monkeypatch.setenv("COLUMNS", "300")  # errors are not wrapped
    monkeypatch.setenv("TERMINAL_WIDTH", "300")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    return run


@pytest.fixture
def local(store: Path) -> Iterator[type[flyte_sidecar.Event]]:
    """The events of the embedded store."""
    flyte_sidecar.init(store=store)
    yield flyte_sidecar.Event
    flyte_sidecar.init(store=store.parent / "closed.db")


@pytest.fixture
def deployment() -> Iterator[Server]:
    with Server(Model()) as server:
        yield server


@pytest.fixture
def configured(deployment: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The deployment that is configured for the user."""
    config = tmp_path / "flyte.yaml"
    config.write_text(
        f"admin: {{endpoint: '{deployment.endpoint}', insecure: true}}\n"
        "task: {project: p, domain: d}\n"
    )
    monkeypatch.setenv("UCTL_CONFIG", str(config))
    return deployment
