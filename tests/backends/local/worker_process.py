# ruff: noqa: ASYNC230, ASYNC240 - what blocks the loop of a test blocks nobody
"""Processes of the store's tests: `python -m tests.backends.local.worker_process VERB PATH ...`.

They use the store directly, and print what they have done.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import sys
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend, mounts, processes
from flyte_sidecar.errors import AlreadySignalled, SidecarError
from flyte_sidecar.events.model import NewEvent, Run, Target
from flyte_sidecar.events.service import EventService

RUN = Run(None, "local", "local", "r1")


def report(*values: object) -> None:
    print(*values, flush=True)  # noqa: T201


async def create(path: str, name: str) -> None:
    """Create an event, and print its id or the error."""
    backend = LocalBackend(path)
    try:
        event = await backend.create(NewEvent(run=RUN, name=name, parent="a0"))
        report("created", event.action_name)
    except SidecarError as error:
        report(error.kind, error.data.get("reason"), error.data.get("outcome"))
    await backend.close()


async def create_as(user: str, path: str) -> None:
    """Try to create an event as another user."""
    os.setuid(int(user))
    await create(path, "q")


async def own(path: str, *names: str) -> None:
    """Create events that this process owns, and leave them when a line arrives on stdin."""
    backend = LocalBackend(path)
    for name in names:
        new = NewEvent(run=RUN, name=name, parent="a0", expires_in=3600)
        await backend.create_owned(new, f"a0-cond-{name}-1")
    report("created", os.getpid())
    await asyncio.to_thread(sys.stdin.readline)


async def own_and_fork(path: str, name: str) -> None:
    """Create an event, and end once a fork of this process waits for a line on stdin."""
    backend = LocalBackend(path)
    await backend.create_owned(NewEvent(run=RUN, name=name, parent="a0"), f"a0-cond-{name}-1")
    await backend.close()
    if os.fork() == 0:
        report("forked", os.getpid())
        sys.stdin.readline()
        os._exit(0)


async def see_processes(pid: str) -> None:
    """Report whether this process, another one and one that does not exist are running."""
    for process in (os.getpid(), int(pid), 2**31 - 1):
        domain = processes.this_domain()
        seen = processes.Process(
            domain.boot, domain.pid_namespace, domain.time_namespace, process, started="1"
        )
        report(processes.is_running(seen, domain))


async def see_processes_as(user: str, pid: str) -> None:
    """Do the same as another user, in no group."""
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
    await see_processes(pid)


async def file_system(path: str) -> None:
    """Report the kind of the file system that a path is on."""
    report(mounts.file_system(os.path.realpath(path)))


async def create_on_shared_tmpfs(path: str) -> None:
    """Try to create an event with tmpfs treated as shared by hosts."""
    mounts._SHARED |= {"tmpfs"}
    await create(path, "q")


async def signal_on(path: str) -> None:
    """Create and signal events forever, and print which are acknowledged."""
    service = EventService(LocalBackend(path))
    for number in itertools.count():
        name = f"{os.getpid()}-{number}"
        target = Target(RUN, name=name)
        await service.create(
            service.write(target), NewEvent(run=RUN, name=name, parent="a0", expected_type="int")
        )
        await service.signal(service.write(target), number)
        report(name, number)


async def race(path: str, count: str, mine: str) -> None:
    """Signal every event with a value of this process, and print the outcomes."""
    service = EventService(LocalBackend(path))
    await resolve(service.get(Target(RUN, name="q0")))
    report("ready")
    sys.stdin.readline()

    async def attempt(number: int) -> tuple[int, bool, Any]:
        write = service.write(Target(RUN, name=f"q{number}"))
        try:
            return number, True, (await service.signal(write, int(mine))).payload
        except AlreadySignalled as error:
            return number, False, error.data["event"].payload

    for reported in await asyncio.gather(*map(attempt, range(int(count)))):
        report(*map(int, reported))
    await service.backend.close()


async def fill(path: str, count: str) -> None:
    """Create events q0, q1, ..."""
    backend = LocalBackend(path)
    for start in range(0, int(count), 1000):
        await asyncio.gather(
            *(
                backend.create(
                    NewEvent(run=RUN, name=f"q{number}", parent="a0", expected_type="int")
                )
                for number in range(start, min(start + 1000, int(count)))
            )
        )
    await backend.close()
    report("filled")


async def hold(path: str) -> None:
    """Lock the store against other writers until a line arrives on stdin."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    report("held")
    sys.stdin.readline()
    db.execute("ROLLBACK")
    db.close()
    report("free")


async def checkpoint(path: str) -> None:
    """Try to close the store as its last user, which deletes the log, and print what exists."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("SELECT count(*) FROM event").fetchall()
    db.close()
    report(*(os.path.exists(path + suffix) for suffix in ("-wal", "-shm")))


async def on_a_full_disk(folder: str) -> None:
    """Fill a small disk, and print how the store behaves."""
    path, ballast = f"{folder}/events.db", f"{folder}/ballast"
    backend = LocalBackend(path)
    service = EventService(backend)
    for name in ("large", "small", "third"):
        await backend.create(NewEvent(run=RUN, name=name, parent="a0", expected_type="str"))

    async def attempt(label: str, work: Awaitable[Any]) -> None:
        try:
            event = await work
            report(f"{label}:", "still pending" if event.pending else event.phase)
        except SidecarError as error:
            report(f"{label}:", error.kind, error.data.get("reason"), error.data.get("outcome"))

    def signal(name: str, payload: str) -> Awaitable[Any]:
        return service.signal(service.write(Target(RUN, name=name)), payload)

    def get(of: EventService, name: str) -> Awaitable[Any]:
        return resolve(of.get(Target(RUN, name=name)))

    await asyncio.gather(
        attempt("large", signal("large", "x" * 2_000_000)), attempt("small", signal("small", "x"))
    )
    await attempt("large", get(service, "large"))
    with open(ballast, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))
    await attempt("no room at all", signal("third", "x" * 2_000_000))
    await attempt("read", get(service, "small"))
    await backend.close()
    with open(ballast, "ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))
    before = Path(path).read_bytes()
    await attempt("reopened", get(EventService(LocalBackend(path)), "small"))
    await attempt("new store", get(EventService(LocalBackend(f"{folder}/new.db")), "small"))
    untouched = Path(path).read_bytes() == before
    report(
        "untouched:", untouched and not any(os.path.exists(f"{path}{s}") for s in ("-wal", "-shm"))
    )
    os.unlink(ballast)
    await attempt("after", signal("third", "x" * 50_000))
    await backend.close()


if __name__ == "__main__":
    verbs = (create, create_as, file_system, create_on_shared_tmpfs, signal_on, race, fill, hold)
    verbs += (checkpoint, on_a_full_disk, own, own_and_fork, see_processes, see_processes_as)
    asyncio.run({verb.__name__: verb for verb in verbs}[sys.argv[1]](*sys.argv[2:]))
