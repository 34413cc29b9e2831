"""What every test may use."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

# A loaded machine must not fail a test: only pytest's own timeout does, when a test hangs. Fixtures
# of a function are shared by its examples on purpose: each example makes a run of its own.
settings.register_profile(
    "loaded",
    parent=settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("loaded")

ROOT = Path(__file__).parent.parent

TEST_TIMEOUT = 60.0
"""Seconds after which a test that waits has failed, however loaded the machine is."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop on which anyio's plugin runs each async test and its fixtures."""
    return "asyncio"


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


def needs(tool: str, least: tuple[int, ...] = ()) -> str:
    """Give the path of a toolchain; without it skip the test, or fail where CI=true.

    `least` is the lowest version that will do.
    """
    found = shutil.which(tool)
    if found is None:
        untested(f"{tool} is not installed")
    elif least:
        words = [found, "version" if tool == "go" else "--version"]
        told = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        version = re.search(r"\d+(\.\d+)+", told)
        if version is None:
            untested(f"{tool} does not run")
        if tuple(map(int, version[0].split("."))) < least:
            wanted = ".".join(map(str, least))
            untested(f"{tool} {version[0]} is installed, {wanted} or later is needed")
    return str(found)


def untested(why: str) -> NoReturn:
    words = f"{why}: what it would test stays untested"
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


@contextmanager
def one_at_a_time(name: str, factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Hold apart the processes that run these tests; give a folder that they share.

    Groups of tests do not do that: pytest-xdist 3.8 marks them by an attribute that pytest 9.2 no
    longer looks at.
    """
    shared = factory.getbasetemp().parent
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield shared


def run(*words: str | Path, env: dict[str, str], **how: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    how = {"capture_output": True, "text": True, "timeout": 100, "check": False, **how}
    return subprocess.run(list(map(str, words)), env=env, **how)
