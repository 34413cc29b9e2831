"""What every test may use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The path of a store that does not exist yet."""
    return tmp_path / "events.db"


@pytest.fixture
def command(store: Path) -> dict[str, str]:
    """An environment in which `flyte-sidecar` is on the PATH and uses the store."""
    scripts = Path(sys.executable).parent
    assert (scripts / "flyte-sidecar").exists(), "install the project: pip install -e ."
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "FLYTE_SIDECAR_STORE": str(store)}


def needs(tool: str) -> str:
    """Give the path of a toolchain; without it skip the test, or fail where CI=true."""
    found = shutil.which(tool)
    if found is None:
        words = f"{tool} is not installed: what it would test stays untested"
        if os.environ.get("CI") == "true":
            pytest.fail(words)
        pytest.skip(words)
    return found


def run(*words: str | Path, env: dict[str, str], **how: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    how = {"capture_output": True, "text": True, "timeout": 100, "check": False, **how}
    return subprocess.run(list(map(str, words)), env=env, **how)
