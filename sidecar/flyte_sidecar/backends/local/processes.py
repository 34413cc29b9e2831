"""Identifying a process, and finding out whether it still runs.

A process id alone is not enough: it is used again, other containers have other processes of the
same id, and a restart of the machine ends all of them.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Annotated

from msgspec import Meta, Struct


class Domain(Struct, frozen=True, rename="camel"):
    """Where a process id and a start time identify a process. None is a value that is unknown.

    Attributes
    ----------
    boot
        Identifies the time since the kernel started; empty where nothing does.
    pid_namespace, time_namespace
        The inodes of the namespaces that determine process ids and clocks; empty without them.
    """

    boot: str | None
    pid_namespace: str | None
    time_namespace: str | None


class Process(Domain, frozen=True):
    """Identifies a process among all that a kernel has run.

    Attributes
    ----------
    started
        When the process was started: text that is only compared. None if it is unknown.
    """

    pid: Annotated[int, Meta(gt=0, lt=1 << 31)]
    started: str | None


def this_process() -> Process:
    """Return the identity of this process; that of a fork is another one."""
    domain = this_domain()
    pid = os.getpid()
    return Process(
        boot=domain.boot,
        pid_namespace=domain.pid_namespace,
        time_namespace=domain.time_namespace,
        pid=pid,
        started=_started_on_linux() if sys.platform == "linux" else _started_elsewhere(pid),
    )


def this_domain() -> Domain:
    """Return the domain of this process."""
    return _linux_domain() if sys.platform == "linux" else _other_domain()


def is_running(process: Process, here: Domain) -> bool | None:
    """Return whether a process still runs; None if that cannot be determined in this domain."""
    if process.pid_namespace is None or process.pid_namespace != here.pid_namespace:
        return None  # some containers have a boot id of their own, so that one decides nothing
    if process.boot is None or here.boot is None:
        return None
    if process.boot != here.boot:
        return False
    if process.started is None or process.time_namespace != here.time_namespace:
        return None  # start times are shifted in a time namespace
    check = _is_running_on_linux if sys.platform == "linux" else _is_running_elsewhere
    return check(process.pid, process.started)


def _linux_domain() -> Domain:
    return Domain(_linux_boot(), _namespace("pid"), _namespace("time"))


def _other_domain() -> Domain:
    return Domain(_darwin_boot() if sys.platform == "darwin" else "", "", "")


def _is_running_on_linux(pid: int, started: str) -> bool | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # the process exists and belongs to another user
    try:
        if os.readlink("/proc/self") != str(os.getpid()):
            return None  # this /proc has the processes of another namespace
        state, found = _stat(f"/proc/{pid}/stat")
    except (OSError, ValueError):
        return None
    return found == started and state not in ("Z", "X")


def _started_on_linux() -> str | None:
    try:
        return _stat("/proc/self/stat")[1]
    except (OSError, ValueError):
        return None


def _stat(path: str) -> tuple[str, str]:
    """Return the state and the start time, in clock ticks since the boot, of a process."""
    with open(path, "rb", buffering=0) as file:
        content = file.read(4096).decode(errors="replace")
    # The second field is the program's name, which may contain spaces and parentheses.
    fields = content.rpartition(")")[2].split()
    if len(fields) < 20:
        raise ValueError(f"{path} cannot be parsed")
    return fields[0], fields[19]


def _linux_boot() -> str | None:
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read().decode().strip() or None
    except (OSError, ValueError):
        return None


def _namespace(kind: str) -> str | None:
    try:
        return str(os.stat(f"/proc/self/ns/{kind}").st_ino)
    except FileNotFoundError:
        # Kernels before 5.6 have no time namespaces. Every kernel with /proc has the other.
        return "" if kind == "time" else None
    except OSError:
        return None


def _darwin_boot() -> str | None:
    """Return the id of the boot session, as `sysctl kern.bootsessionuuid` does."""
    import ctypes

    value = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(value))
    try:
        sysctl = ctypes.CDLL(None).sysctlbyname
    except (OSError, AttributeError):
        return None
    if sysctl(b"kern.bootsessionuuid", value, ctypes.byref(size), None, 0):
        return None
    return value.value.decode(errors="replace") or None


@cache
def _started_elsewhere(pid: int) -> str | None:
    """Return when a process was started; cached, since psutil shifts it when the clock is set."""
    import psutil

    try:
        return repr(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _is_running_elsewhere(pid: int, started: str) -> bool | None:
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if repr(process.create_time()) == started:
            return True
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return None
    # Elsewhere than on Windows, psutil may report the start of the same process differently.
    return False if sys.platform == "win32" else None
