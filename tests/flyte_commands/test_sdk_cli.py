"""The commands in the CLI of real SDKs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run
from tests.fake_runservice.server import Server
from tests.flyte_commands.conftest import SCOPE
from tests.flyte_sdk import sdk_and_sidecar

REQUIREMENTS = ["flyte==2.3.8", "flyte==2.5.0", "flyte==2.9.0", "flyte"]

IMPORT = """
import rich_click, sys
before = set(sys.modules)
import flyte_sidecar.flyte_commands.commands
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.versions
@pytest.mark.timeout(600)
@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_the_cli_of_the_sdk_has_the_commands(
    requirement: str,
    command: dict[str, str],
    local: Any,
    deployment: Server,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    flyte = sdk_and_sidecar(requirement, tmp_path_factory).parent / "flyte"
    summary = run(flyte, "--help", env=command).stdout
    assert "pending  List the events that wait for an answer." in summary
    assert "answer   Answer an event that flyte pending lists." in summary

    config = tmp_path / "flyte.yaml"
    config.write_text(f"admin: {{endpoint: '{deployment.endpoint}', insecure: true}}\n")
    deployment.model.ask("r9", "there", "int", **SCOPE)
    here = local.create("here", "r1")
    scope = ("--project", "p", "--domain", "d")
    answered = run(
        flyte, "--config", config, "answer", *scope, "r9", "there", "--", "-7", env=command
    )
    assert (answered.returncode, answered.stderr) == (0, "")
    assert answered.stdout.startswith("there of run r9 was answered with -7")
    unreachable = (flyte, "--endpoint", "localhost:1", "--auth-type", "device-flow")
    answered = run(*unreachable, "answer", "r1", "here", "yes", env=command)
    assert (answered.returncode, answered.stderr) == (0, "")
    assert here.wait() is True


def test_the_cli_of_an_older_sdk_imports_little_at_its_start() -> None:
    done = run(sys.executable, "-c", IMPORT, env={})
    package = "flyte_sidecar.flyte_commands"
    assert done.stdout.split() == ["flyte_sidecar", package, f"{package}.commands"]
