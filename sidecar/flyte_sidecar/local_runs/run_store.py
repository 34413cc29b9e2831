"""The embedded store of local runs, on the package's background loop."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from flyte_sidecar._futures import resolve, retrieve_exception, wait_all
from flyte_sidecar._sync import SharedResource, run_async
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.errors import EventError, StoreBusy, StoreUnavailable
from flyte_sidecar.events.model import Event, NewEvent, Payload, Scope, Target
from flyte_sidecar.server.settings import STORE_VARIABLE, store_path

T = TypeVar("T")

LOCAL = Scope(org=None, project="local", domain="local")
"""The scope of local runs, whatever project a run is reported to."""

WRITE_TIMEOUT = 5.0
"""Seconds that a run waits until the store has recorded how an event ended."""

RETRY_DELAY = 0.5
"""Seconds before such a write is retried."""


class RunStore:
    """The store at a path. Its methods can be called on any event loop, and be cancelled."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.users = 0
        self._writing: set[asyncio.Future[Event]] = set()
        self._backend = SharedResource(lambda: LocalBackend(path), LocalBackend.close)

    @property
    def in_use(self) -> bool:
        """Whether a wait uses the store, or the end of one is still to be recorded."""
        return self.users > 0 or bool(self._writing)

    async def create(self, new: NewEvent, action_name: str) -> Event:
        """Create an event that ends with this process, see `LocalBackend.create_owned`.

        If the caller is cancelled meanwhile, the event is aborted.
        """

        async def create(backend: LocalBackend) -> Event:
            creating = asyncio.ensure_future(backend.create_owned(new, action_name))
            try:
                return await asyncio.shield(creating)
            except asyncio.CancelledError:
                await wait_all([creating])
                if creating.exception() is None:
                    event, reason = creating.result(), "the task no longer waits"
                    self._start(lambda backend: backend.abort(event, reason))
                raise

        return await self._use(create)

    async def resolved(self, event: Event) -> Event:
        """Wait until an event is no longer pending, also while the process forks."""
        return await run_async(
            self._backend.run_between_pauses(lambda backend: backend.resolved(event))
        )

    async def signal(self, event: Event, payload: Payload) -> Event:
        """Answer an event, see `_end`."""
        return await self._end(lambda backend: backend.signal(event, payload))

    async def time_out(self, event: Event) -> Event:
        """End an event as timed out, see `_end`."""
        return await self._end(lambda backend: backend.time_out(event))

    async def abort(self, event: Event, reason: str) -> Event:
        """Abort an event, see `_end`."""
        return await self._end(lambda backend: backend.abort(event, reason))

    async def check(self) -> None:
        """Open the store.

        Raises
        ------
        SidecarError
            If it cannot be used.
        """
        await self._use(_check)

    async def close(self) -> None:
        """Close the store for good."""
        await run_async(self._backend.close())

    async def _end(self, write: Callable[[LocalBackend], Coroutine[Any, Any, Event]]) -> Event:
        """End an event, and return its state: that of an earlier end if there is one.

        Raises
        ------
        SidecarError
            If the store has not recorded the end within `WRITE_TIMEOUT`. It does so later, if it
            can, so that nobody else ends the event in another way.
        """

        async def end() -> Event:
            writing = self._start(write)
            await wait_all([writing], WRITE_TIMEOUT)
            if not writing.done():
                raise StoreBusy(f"the store {self.path} accepts no writes")
            return writing.result()

        return await run_async(end())

    def _start(
        self, write: Callable[[LocalBackend], Coroutine[Any, Any, Event]]
    ) -> asyncio.Future[Event]:
        writing = asyncio.ensure_future(self._retry(write))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        writing.add_done_callback(retrieve_exception)
        return writing

    async def _retry(self, write: Callable[[LocalBackend], Coroutine[Any, Any, Event]]) -> Event:
        """Retry a write while the store is locked or full."""
        while True:
            try:
                async with self._backend.use() as backend:
                    return await write(backend)
            except StoreBusy:
                pass
            except StoreUnavailable as error:
                if error.data["reason"] != "full":
                    raise
            except EventError as error:
                resolved: Event | None = error.data.get("event")
                if resolved is None:
                    raise
                return resolved
            await asyncio.sleep(RETRY_DELAY)

    async def _use(self, call: Callable[[LocalBackend], Coroutine[Any, Any, T]]) -> T:
        async def use() -> T:
            async with self._backend.use() as backend:
                return await call(backend)

        return await run_async(use())


async def _check(backend: LocalBackend) -> None:
    await resolve(backend.find(Target(LOCAL.run(""), action_name="")))


_stores: dict[str, RunStore] = {}
_relative_paths: dict[str, str] = {}
_lock = threading.Lock()


def _selected_path() -> str:
    """Return the path that the environment selects now.

    A relative one does not lead elsewhere once the workflow changes the current folder.
    """
    path, chosen = store_path(None), os.environ.get(STORE_VARIABLE, "")
    if chosen and not os.path.isabs(os.path.expanduser(chosen)):
        return _relative_paths.setdefault(chosen, path)
    return path


@asynccontextmanager
async def selected_store() -> AsyncIterator[RunStore]:
    """Use the store that the environment selects now. Others that are not used any more are closed.

    Raises
    ------
    OSError, RuntimeError, ValueError
        If its path is invalid or unknown.
    """
    path = _selected_path()
    with _lock:
        if path not in _stores:
            _stores[path] = RunStore(path)
        store = _stores[path]
        store.users += 1
        unused = [other for other in _stores.values() if not other.in_use]
        for other in unused:
            del _stores[other.path]
    try:
        for other in unused:
            await other.close()
        yield store
    finally:
        with _lock:
            store.users -= 1
