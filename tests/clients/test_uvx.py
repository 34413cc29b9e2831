"""The command by uvx, as the clients run it if it is not installed. uv uses no network here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import psutil
import pytest

from flyte_sidecar._version import VERSION
from tests.clients.conftest import BUILD_SECONDS
from tests.conftest import TEST_TIMEOUT, needs, run
from tests.flyte_sdk import wheel

Environment = dict[str, str]

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]

UVX = Path(sys.executable).with_name("uvx")

PROGRAM = """
import { Client } from "flyte-sidecar";
const client = await Client.spawn();
console.log(JSON.stringify(client.command));
await client.closed;
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this repository, changed so that it needs no other wheels.

    Its dependencies are those of this interpreter.
    """
    folder = tmp_path_factory.mktemp("wheels")
    built = wheel(tmp_path_factory)
    with zipfile.ZipFile(built) as source, zipfile.ZipFile(folder / built.name, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith(".dist-info/METADATA"):
                lines = data.splitlines(keepends=True)
                data = b"".join(line for line in lines if not line.startswith(b"Requires-Dist"))
            if not name.endswith("/RECORD"):
                target.writestr(name, data)
        site = Path(psutil.__file__).parent.parent
        target.writestr("dependencies.pth", f"{site}\n")
        record = next(name for name in source.namelist() if name.endswith("/RECORD"))
        target.writestr(record, "".join(f"{name},,\n" for name in [*target.namelist(), record]))
    return folder


@pytest.fixture
def env(command: Environment, tmp_path: Path) -> Environment:
    """The environment of a user with uv, an empty cache and no network."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uvx").symlink_to(UVX)
    return {
        **{name: text for name, text in command.items() if name != "FLYTE_SIDECAR"},
        "PATH": f"{tools}{os.pathsep}{os.defpath}",
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_NO_CONFIG": "1",
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON": sys.executable,
        "UV_TOOL_DIR": str(tmp_path / "installed"),
    }


def test_uvx_runs_the_command_with_its_extra(wheels: Path, env: Environment) -> None:
    package = ("--from", f"flyte-sidecar[flyte]=={VERSION}", "flyte-sidecar")
    request = '{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}\n'
    done = run(UVX, *package, env=env | {"UV_FIND_LINKS": str(wheels)}, input=request)
    assert json.loads(done.stdout)["result"]["info"]["version"], done.stderr


def test_the_client_runs_its_version_by_uvx_and_nothing_remains_when_it_is_killed(
    typescript: Path, wheels: Path, env: Environment
) -> None:
    client = subprocess.Popen(
        [needs("node"), "--input-type=module", "--eval", PROGRAM],
        env=env | {"UV_FIND_LINKS": str(wheels)},
        cwd=typescript,
        stdout=subprocess.PIPE,
        text=True,
    )
    with client:
        assert client.stdout is not None
        command = json.loads(client.stdout.readline())
        assert command["source"] == "uvx"
        assert command["args"] == ["--from", f"flyte-sidecar[flyte]=={VERSION}", "flyte-sidecar"]
        processes = psutil.Process(client.pid).children(recursive=True)
        assert len(processes) > 1  # uv and the sidecar
        client.kill()
    assert psutil.wait_procs(processes, timeout=TEST_TIMEOUT)[1] == []


def test_the_message_of_uvx_is_in_the_error_if_it_finds_no_package(
    typescript: Path, env: Environment
) -> None:
    done = run(needs("node"), "--input-type=module", "--eval", PROGRAM, env=env, cwd=typescript)
    assert done.returncode == 1
    assert (
        "flyte-sidecar ended before a sidecar responded; to do without uvx, install" in done.stderr
    )
    assert "stderr ends with:" in done.stderr
    assert "No solution found" in done.stderr
