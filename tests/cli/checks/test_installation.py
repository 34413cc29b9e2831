"""Other installations that a shell or an editor may start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flyte_sidecar._version import VERSION
from flyte_sidecar.cli.checks.finding import Finding
from flyte_sidecar.cli.checks.installation import check_commands, own_command

pytestmark = pytest.mark.anyio


class Machine:
    """Folders on the PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._path: list[str] = []
        self.monkeypatch = monkeypatch
        self._set_path()

    def add(self, version: str) -> str:
        """Add a folder with another installation."""
        folder = self._folder / str(len(self._path))
        folder.mkdir()
        command = folder / "flyte-sidecar"
        command.write_text(f"#!/bin/sh\necho {version}\n")
        command.chmod(0o755)
        self._path.append(str(folder))
        self._set_path()
        return str(command)

    def add_own(self) -> None:
        self._path.append(os.path.dirname(own_command()))
        self._set_path()

    def _set_path(self) -> None:
        self.monkeypatch.setenv("PATH", os.pathsep.join(self._path) or str(self._folder))

    async def check(self) -> Finding:
        [finding] = await check_commands()
        return finding


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


async def test_the_only_installation_is_in_order(machine: Machine) -> None:
    machine.add_own()
    assert await machine.check() == Finding("command", "ok", own_command())


async def test_no_installation_on_the_path_is_a_warning(machine: Machine) -> None:
    found = await machine.check()
    assert found.status == "warning"
    assert f"add {os.path.dirname(own_command())} to the PATH" in (found.advice or "")


async def test_another_version_that_a_shell_starts_is_a_warning(machine: Machine) -> None:
    other = machine.add("flyte-sidecar 0.0.9")
    machine.add_own()
    found = await machine.check()
    assert found.status == "warning"
    assert found.detail.startswith(f"a shell starts {other} (0.0.9), and not this installation")
    assert f"FLYTE_SIDECAR={own_command()}" in (found.advice or "")


async def test_another_version_later_on_the_path_is_a_warning(machine: Machine) -> None:
    machine.add_own()
    other = machine.add("something else")
    found = await machine.check()
    assert found.status == "warning"
    assert f"also on the PATH: {other} (which does not print its version)" in found.detail


async def test_the_same_version_elsewhere_does_not_matter(machine: Machine) -> None:
    machine.add(f"flyte-sidecar {VERSION}")
    machine.add_own()
    assert (await machine.check()).status == "ok"


@pytest.mark.parametrize("exists", [True, False])
async def test_a_variable_that_selects_another_command_is_reported(
    exists: bool, machine: Machine, tmp_path: Path
) -> None:
    machine.add_own()
    chosen = machine.add("flyte-sidecar 0.0.9") if exists else str(tmp_path / "missing")
    machine.monkeypatch.setenv("FLYTE_SIDECAR", chosen)
    [_, found] = await check_commands()
    assert found.name == "FLYTE_SIDECAR"
    assert found.status == ("warning" if exists else "failed")
    assert chosen in found.detail
    assert found.advice == f"set FLYTE_SIDECAR to {own_command()}, or unset it"
