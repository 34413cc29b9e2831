"""The embedded store of local runs, on the package's background loop."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from flyte_sidecar._futures import resolve
from flyte_sidecar._sync import SharedResource, run_async
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import Event, NewEvent, Payload, Scope, Target
from flyte_sidecar.server.settings import store_path

T = TypeVar("T")

LOCAL = Scope(org=None, project="local", domain="local")
"""The scope of local runs, whatever project a run is reported to."""


class RunStore:
    """The store at a path. Its methods can be called on any event loop, and be cancelled."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.users = 0
        self._backend = SharedResource(lambda: LocalBackend(path), LocalBackend.close)

    async def create(self, new: NewEvent, action_name: str) -> Event:
        """Create an event that ends with this process, see `LocalBackend.create_owned`."""
        return await self._use(lambda backend: backend.create_owned(new, action_name))

    async def resolved(self, event: Event) -> Event:
        """Wait until an event is no longer pending, also while the process forks."""
        return await run_async(
            self._backend.run_between_pauses(lambda backend: backend.resolved(event))
        )

    async def signal(self, event: Event, payload: Payload) -> Event:
        """Answer an event, and return its state: that of an earlier answer if there is one."""
        return await self._use(lambda backend: _first_state(backend.signal(event, payload)))

    async def time_out(self, event: Event) -> Event:
        """End an event as timed out, and return its state as `signal` does."""
        return await self._use(lambda backend: backend.time_out(event))

    async def abort(self, event: Event, reason: str) -> Event:
        """Abort an event, and return its state as `signal` does."""
        return await self._use(lambda backend: _first_state(backend.abort(event, reason)))

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

    async def _use(self, call: Callable[[LocalBackend], Coroutine[Any, Any, T]]) -> T:
        async def use() -> T:
            async with self._backend.use() as backend:
                return await call(backend)

        return await run_async(use())


async def _check(backend: LocalBackend) -> None:
    await resolve(backend.find(Target(LOCAL.run(""), action_name="")))


async def _first_state(write: Coroutine[Any, Any, Event]) -> Event:
    try:
        return await write
    except SidecarError as error:
        resolved: Event | None = error.data.get("event")
        if resolved is None:
            raise
        return resolved


_stores: dict[str, RunStore] = {}
_lock = threading.Lock()


@asynccontextmanager
async def selected_store() -> AsyncIterator[RunStore]:
    """Use the store that the environment selects now. Others that are not used any more are closed.

    Raises
    ------
    OSError, RuntimeError, ValueError
        If its path is invalid or unknown.
    """
    path = store_path(None)
    with _lock:
        if path not in _stores:
            _stores[path] = RunStore(path)
        store = _stores[path]
        store.users += 1
        unused = [other for other in _stores.values() if not other.users]
        for other in unused:
            del _stores[other.path]
    try:
        for other in unused:
            await other.close()
        yield store
    finally:
        with _lock:
            store.users -= 1
