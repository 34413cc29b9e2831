"""Locks between sidecars, with real processes."""

from __future__ import annotations

import asyncio
import logging
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from flyte_sidecar.backends.flyte.auth.login_locks import Purpose, login_lock
from tests.conftest import TEST_TIMEOUT

SERVICE = "flyte.example.com:443"

HOLD = f"""
import asyncio, sys
from pathlib import Path
from flyte_sidecar.backends.flyte.auth.login_locks import login_lock

async def hold():
    async with login_lock(Path(sys.argv[1]), {SERVICE!r}, "refresh", 60):
        print("held", flush=True)
        sys.stdin.read()

asyncio.run(hold())
"""


Lock = Callable[..., AbstractAsyncContextManager[None]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The folder for the state of all sidecars, which does not exist yet."""
    return tmp_path / "flyte-sidecar"


@pytest.fixture
def lock(state: Path) -> Lock:
    return partial(login_lock, state)


def holder(state: Path) -> subprocess.Popen[bytes]:
    """Start a process that holds the lock until its stdin ends."""
    command = [sys.executable, "-c", HOLD, str(state)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


async def is_free(lock: Lock, purpose: Purpose = "refresh", service: str = SERVICE) -> bool:
    """Return whether nobody holds the lock."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("flyte_sidecar.backends.flyte.auth.login_locks")
    log.addHandler(handler)
    level, log.level = log.level, logging.INFO
    try:
        async with lock(service, purpose, 0):
            pass
    finally:
        log.removeHandler(handler)
        log.level = level
    assert lines in ([], [f"another process holds the {purpose} lock for 0 s"])
    return not lines


async def test_one_process_at_a_time_holds_a_lock(lock: Lock, state: Path) -> None:
    with holder(state) as process:
        assert not await is_free(lock)
        assert await is_free(lock, "login")
        assert await is_free(lock, service="other.example.com:443")
        waiting = asyncio.ensure_future(acquire(lock))
        process.communicate(timeout=TEST_TIMEOUT)
        await waiting
    assert await is_free(lock)


async def acquire(lock: Lock) -> None:
    async with lock(SERVICE, "refresh", TEST_TIMEOUT):
        assert not await is_free(lock)


async def test_a_killed_process_holds_no_lock(lock: Lock, state: Path) -> None:
    with holder(state) as process:
        process.kill()
        process.wait(TEST_TIMEOUT)
        assert await is_free(lock)


async def test_two_connections_of_one_process_share_the_lock_too(lock: Lock) -> None:
    async with lock(SERVICE, "refresh", 0):
        waiting = asyncio.ensure_future(acquire(lock))
        assert not await is_free(lock)
        assert not waiting.done()
    await waiting
    assert await is_free(lock)


async def test_a_wait_for_a_lock_can_be_cancelled(lock: Lock) -> None:
    async with lock(SERVICE, "refresh", 0):
        waiting = asyncio.ensure_future(acquire(lock))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await is_free(lock)


async def test_a_failure_under_the_lock_releases_it(lock: Lock) -> None:
    with pytest.raises(ValueError, match="failed"):
        async with lock(SERVICE, "refresh", 0):
            raise ValueError("failed")
    assert await is_free(lock)


async def test_the_folder_is_private_and_names_no_deployment(lock: Lock, state: Path) -> None:
    async with lock(SERVICE, "refresh", 0):
        folder = state / "locks"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        assert [path for path in folder.iterdir() if "example" in path.name] == []


@pytest.mark.parametrize("missing", ["the folder", "the home", "the package"])
async def test_without_a_lock_work_goes_on(
    missing: str,
    lock: Lock,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if missing == "the folder":
        state.write_bytes(b"")  # noqa: ASYNC240 - nothing else runs
        reason = "File exists"
    elif missing == "the home":
        lock = partial(login_lock, None)
        reason = "the home folder is unknown"
    else:
        monkeypatch.setitem(sys.modules, "filelock", None)
        reason = "ModuleNotFoundError"
    async with AsyncExitStack() as stack:
        with caplog.at_level(logging.INFO):
            await stack.enter_async_context(lock(SERVICE, "refresh", 0))
            await stack.enter_async_context(lock(SERVICE, "refresh", 0))
    assert caplog.messages == [f"no lock between sidecars for the refresh of logins: {reason}"] * 2
