"""Detecting that a process is gone."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from flyte_sidecar.rpc.parent_process import watch_parent
from tests.conftest import TEST_TIMEOUT


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process


async def noticed(pid: int, end: Callable[[], object]) -> None:
    event = asyncio.Event()
    watch_parent(pid, event.set)
    await asyncio.sleep(0)
    assert not event.is_set()
    end()
    await asyncio.wait_for(event.wait(), TEST_TIMEOUT)


async def gone_already(pid: int) -> None:
    event = asyncio.Event()
    watch_parent(pid, event.set)
    await asyncio.wait_for(event.wait(), TEST_TIMEOUT)


def forbid_pidfd_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it fail as in kernels without it; psutil, which may be loaded already, uses it too."""

    def fail(pid: int, flags: int = 0) -> int:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    monkeypatch.setattr(os, "pidfd_open", fail, raising=False)


@pytest.fixture(params=["pidfd", "psutil"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "psutil":
        forbid_pidfd_open(monkeypatch)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("only Linux has it")
    name: str = request.param
    return name


async def test_the_end_of_a_process_is_detected(way: str, process: subprocess.Popen[bytes]) -> None:
    def end() -> None:
        process.kill()
        if way == "psutil":  # it waits for a process to be reaped, where there are zombies
            process.wait()

    await noticed(process.pid, end)


async def test_an_end_before_psutil_is_loaded_is_detected(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start_later(thread: threading.Thread) -> None:
        process.kill()
        process.wait()
        really_start(thread)

    really_start = threading.Thread.start
    forbid_pidfd_open(monkeypatch)
    monkeypatch.setattr(threading.Thread, "start", start_later)
    await gone_already(process.pid)


def kill_and_leave(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and leave a zombie."""
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.posix
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux can tell")
async def test_the_end_of_a_process_that_is_not_reaped_is_detected(
    process: subprocess.Popen[bytes],
) -> None:
    await noticed(process.pid, lambda: kill_and_leave(process))
    await gone_already(process.pid)


@pytest.mark.parametrize("pid", [0, -1, 1 << 31, 1 << 80, 4_000_000])
async def test_a_process_that_is_not_visible_is_not_monitored(pid: int, way: str) -> None:
    event = asyncio.Event()
    watch_parent(pid, event.set)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not event.is_set()
