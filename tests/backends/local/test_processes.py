"""Whether a process still runs, as others see it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.local import processes
from tests.backends.local.conftest import Worker
from tests.backends.local.test_files import UNPRIVILEGED, needs_root
from tests.backends.local.test_gone_owners import in_namespaces
from tests.conftest import TEST_TIMEOUT

HERE = processes.this_domain()

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until its input ends."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def end(child: subprocess.Popen[bytes], reap: bool) -> None:
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    if reap:
        child.wait(TEST_TIMEOUT)


CHECKS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    (
        lambda pid: processes._stat(f"/proc/{pid}/stat")[1],
        processes._is_running_on_linux,
    ),
    (processes._started_elsewhere, processes._is_running_elsewhere),
]
checks = pytest.mark.parametrize(("started", "is_running"), CHECKS, ids=["by /proc", "by psutil"])


@pytest.mark.posix
@on_linux
@checks
@pytest.mark.parametrize("reap", [False, True])
def test_a_process_runs_until_it_ends_even_if_nobody_reaps_it(
    child: subprocess.Popen[bytes],
    started: Callable[..., Any],
    is_running: Callable[..., Any],
    reap: bool,
) -> None:
    at = started(child.pid)
    assert at is not None
    assert is_running(child.pid, at) is True
    end(child, reap)
    assert is_running(child.pid, at) is False


@on_linux
def test_a_process_with_another_start_is_another_one(child: subprocess.Popen[bytes]) -> None:
    assert processes._is_running_on_linux(child.pid, "1") is False


@pytest.mark.parametrize(("platform", "expected"), [("win32", False), ("freebsd14", None)])
def test_psutil_decides_by_the_start_only_where_setting_the_clock_does_not_change_it(
    child: subprocess.Popen[bytes],
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    expected: bool | None,
) -> None:
    monkeypatch.setattr(processes.sys, "platform", platform)
    assert processes._is_running_elsewhere(child.pid, "1.0") is expected


@pytest.mark.parametrize(("status", "boot"), [(0, "5E2D-77"), (-1, None)])
def test_macos_identifies_a_boot_by_its_session(
    monkeypatch: pytest.MonkeyPatch, status: int, boot: str | None
) -> None:
    class Library:
        def __init__(self, name: None) -> None:
            assert name is None

        def sysctlbyname(self, name: bytes, value: Any, size: Any, *new: object) -> int:
            assert (name, new) == (b"kern.bootsessionuuid", (None, 0))
            assert size._obj.value == 64
            value.value = b"5E2D-77"
            return status

    monkeypatch.setattr(processes.sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", Library)
    assert processes.this_domain() == processes.Domain(boot, "", "")


def test_a_process_keeps_its_identity_when_the_clock_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = processes._started_elsewhere(os.getpid())
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 5)
    assert processes._started_elsewhere(os.getpid()) == started
    assert processes._is_running_elsewhere(os.getpid(), started or "") is None


def test_a_process_that_psutil_may_not_see_is_undecided(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(_: psutil.Process) -> str:
        raise psutil.AccessDenied(child.pid)

    monkeypatch.setattr(psutil.Process, "status", deny)
    assert processes._is_running_elsewhere(child.pid, "1.0") is None


@pytest.mark.posix
@on_linux
@pytest.mark.parametrize("name", ["a b", "a) S 1 (b", ") Z ", "\xff\n("])
def test_any_name_of_a_program_leaves_its_start_readable(tmp_path: Path, name: str) -> None:
    program = tmp_path / name
    program.symlink_to(shutil.which("cat") or "/bin/cat")
    with subprocess.Popen([program], stdin=subprocess.PIPE) as process:
        state, started = processes._stat(f"/proc/{process.pid}/stat")
        ticks = psutil.Process(process.pid).create_time() - psutil.boot_time()
        assert round(float(started) / os.sysconf("SC_CLK_TCK") - ticks) == 0
        assert processes._is_running_on_linux(process.pid, started) is True
        assert state in ("R", "S", "D")
        assert process.stdin is not None
        process.stdin.close()


def test_a_process_in_an_unknown_namespace_is_undecided() -> None:
    this, unknown = processes.this_process(), replace(HERE, pid_namespace=None)
    assert processes.is_running(replace(this, pid_namespace=None), unknown) is None
    assert processes.is_running(this, unknown) is None


def test_this_process_runs_and_a_fork_is_another_process() -> None:
    this = processes.this_process()
    assert this == processes.this_process()
    assert this.pid == os.getpid()
    assert processes.is_running(this, HERE) is True
    assert processes.is_running(replace(this, pid=os.getppid(), started="0"), HERE) is not True


@on_linux
def test_without_proc_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    this = processes.this_process()

    def deny(*_: object, **__: object) -> Any:
        raise PermissionError

    monkeypatch.setattr(os, "stat", deny)
    monkeypatch.setattr(processes, "open", deny, raising=False)
    domain = processes.this_domain()
    assert (domain.boot, domain.pid_namespace, domain.time_namespace) == (None, None, None)
    assert processes.this_process().started is None
    assert processes.is_running(this, domain) is None
    assert processes.is_running(processes.this_process(), domain) is None
    assert processes._is_running_on_linux(this.pid, this.started or "") is None


@pytest.mark.posix
@needs_root
def test_a_process_that_proc_hides_is_undecided(worker: Worker) -> None:
    mount = in_namespaces("--mount")
    script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    prefix = (*mount[:1], *mount[2:], "sh", "-c", script, "sh")  # as root itself, for setuid
    process = worker("see_processes_as", UNPRIVILEGED, os.getpid(), prefix=prefix)
    assert process.communicate(timeout=TEST_TIMEOUT)[0].split() == ["False", "None", "False"]


@on_linux
def test_a_process_is_undecided_if_proc_is_that_of_another_namespace(worker: Worker) -> None:
    process = worker("see_processes", 1, prefix=in_namespaces("--pid"))
    assert process.communicate(timeout=TEST_TIMEOUT)[0].split() == ["None", "None", "False"]
