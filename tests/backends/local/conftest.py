from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.events.model import Event, NewEvent, Target
from flyte_sidecar.events.service import EventService
from tests.backends.local.watching import Feeds
from tests.backends.local.worker_process import RUN
from tests.conftest import ROOT

Worker = Callable[..., Any]
"""Starts a process and returns its Popen, with text pipes."""


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Start processes of `tests.backends.local.worker_process`; they are killed at the end."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: object, prefix: tuple[str, ...] = (), **how: Any) -> Any:
            process = subprocess.Popen(
                [
                    *prefix,
                    sys.executable,
                    "-m",
                    "tests.backends.local.worker_process",
                    *map(str, arguments),
                ],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                **how,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder that other users can read; pytest makes its own folders private."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


class Stores:
    """Open stores of a test, closed at its end."""

    def __init__(self) -> None:
        self._opened: list[LocalBackend] = []

    def __call__(self, path: Path | str) -> LocalBackend:
        backend = LocalBackend(path)
        self._opened.append(backend)
        return backend

    async def close(self) -> None:
        for backend in self._opened:
            await backend.close()


@pytest.fixture
async def opened() -> AsyncIterator[Stores]:
    stores = Stores()
    yield stores
    await stores.close()


@pytest.fixture
async def watched() -> AsyncIterator[Feeds]:
    feeds = Feeds()
    yield feeds
    await feeds.close()


async def make(backend: LocalBackend, name: str = "q", **more: Any) -> Event:
    return await backend.create(NewEvent(run=RUN, name=name, parent="a0", **more))


async def get(backend: LocalBackend, name: str = "q") -> Event | None:
    return await resolve(backend.find(Target(RUN, name=name)))


async def signal(backend: LocalBackend, payload: Any, name: str = "q") -> Event:
    service = EventService(backend)
    return await service.signal(service.write(Target(RUN, name=name)), payload)


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Return the content of a folder by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def lose(path: Path, how: str) -> None:
    """Delete one of a store's files, or replace it by a copy."""
    if how == "replaced":
        shutil.copy(path, copied := Path(f"{path}.new"))
        copied.replace(path)
    else:
        path.unlink()
