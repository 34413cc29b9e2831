"""Fixtures and helpers for all tests."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

# Slow examples must not fail a test on a loaded machine: only the timeout of pytest-timeout does,
# when a test hangs. Examples share function-scoped fixtures on purpose: each creates its own run.
settings.register_profile(
    "no-deadline",
    parent=settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("no-deadline")

# A shell starts background jobs with SIGINT ignored, and nohup any job with SIGHUP. The processes
# that tests end by these signals would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).parent.parent

IS_ROOT = sys.platform != "win32" and os.geteuid() == 0

TEST_TIMEOUT = 60.0
"""Seconds after which a condition that a test waits for counts as never met."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need POSIX on Windows."""
    if sys.platform != "win32":
        return
    reason = "needs POSIX: a terminal, signals, permissions, fork, or a POSIX shell"
    for item in items:
        if item.get_closest_marker("posix") is not None:
            item.add_marker(pytest.mark.skip(reason))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop on which anyio's plugin runs each async test and its fixtures."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_flyte_config(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide Flyte's config and logins on this machine from the tests and their processes."""
    prefixes = ("FLYTE_", "UCTL_", "FLYTECTL_", "_U_", "_UNION_", "EAGER_")
    for name in [name for name in os.environ if name.startswith(prefixes)]:
        del os.environ[name]
    empty = tmp_path_factory.mktemp("no-flyte-config") / "config.yaml"
    empty.touch()
    os.environ["UCTL_CONFIG"] = str(empty)
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Path of a store that does not exist yet."""
    return tmp_path / "events.db"


@pytest.fixture
def command(store: Path) -> dict[str, str]:
    """Environment variables for running `flyte-sidecar` on the store."""
    scripts = Path(sys.executable).parent
    installed = shutil.which("flyte-sidecar", path=scripts)
    assert installed is not None, "install the project: pip install -e ."
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "FLYTE_SIDECAR_STORE": str(store)}


def needs(tool: str, minimum: tuple[int, ...] = ()) -> str:
    """Return the path of a toolchain; if it is missing or too old, skip or fail the test."""
    found = shutil.which(tool)
    if found is None:
        skip_or_fail(f"{tool} is not installed")
    if minimum:
        command = [found, "version" if tool == "go" else "--version"]
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        version = re.search(r"\d+(\.\d+)+", output)
        if version is None:
            skip_or_fail(f"{tool} does not run")
        if tuple(map(int, version[0].split("."))) < minimum:
            expected = ".".join(map(str, minimum))
            skip_or_fail(f"{tool} {version[0]} is installed, but {expected} or later is required")
    return found


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test that cannot run on this machine, or fail it if CI=true.

    With MISSING_TOOLS=skip it is skipped in CI too, for jobs that test a part on many systems.
    """
    if os.environ.get("CI") == "true" and os.environ.get("MISSING_TOOLS") != "skip":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def worker_lock(name: str, factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Hold a lock that all pytest-xdist workers share, and yield a folder of this test run.

    The marker `xdist_group` cannot replace it: pytest-xdist 3.8 sets it through an attribute that
    pytest 9.2 ignores.
    """
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with FileLock(shared / f"{name}.lock"):
        yield shared


def run(
    *args: str | Path, env: dict[str, str], **options: object
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its status and output."""
    options = {"capture_output": True, "text": True, "timeout": 100, "check": False, **options}
    return subprocess.run(list(map(str, args)), env=env, **options)
