"""The package installed together with the Flyte SDK, which pins the flyteidl2 that both use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, run, skip_or_fail
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

NO_VERSION_CHECK = "--disable-pip-version-check"

USE_BOTH = """
import flyte, flyte.remote, flyte_sidecar, sys
flyte_sidecar.init(backend="flyte", endpoint=sys.argv[1], insecure=True, project="p", domain="d")
event = flyte_sidecar.Event.get("approve", run_name="r1")
event.signal(True)
print(event.wait())
"""


def pip(python: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(python, "-m", "pip", *arguments, NO_VERSION_CHECK, env=dict(os.environ), timeout=300)


def flyte_version(requirement: str) -> str:
    """Return the version of the SDK that the registry offers."""
    found = pip(
        sys.executable,
        "install",
        "--quiet",
        "--dry-run",
        "--no-deps",
        "--ignore-installed",
        "--report",
        "-",
        requirement,
    )
    if found.returncode != 0:
        skip_or_fail("no package registry can be reached")
    version: str = json.loads(found.stdout)["install"][0]["metadata"]["version"]
    return version


@pytest.mark.versions
@pytest.mark.timeout(600)
@pytest.mark.parametrize("requirement", ["flyte==2.3.8", "flyte"], ids=["2.3.8", "newest"])
def test_the_wheel_works_in_one_environment_with_the_sdk(requirement: str, tmp_path: Path) -> None:
    version = flyte_version(requirement)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    wheel = pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT))
    assert wheel.returncode == 0, wheel.stderr
    (built,) = tmp_path.glob("flyte_sidecar-*.whl")
    done = pip(python, "install", "--quiet", str(built), f"flyte=={version}")
    assert done.returncode == 0, done.stderr
    assert pip(python, "check").returncode == 0
    model = Model()
    model.ask("r1", "approve", action="e1", project="p", domain="d")
    with Server(model) as server:
        used = run(python, "-c", USE_BOTH, server.endpoint, env=dict(os.environ), cwd=tmp_path)
    assert (used.returncode, used.stdout) == (0, "True\n"), used.stderr
