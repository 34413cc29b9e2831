"""The waits of this process, so that their events end with the task or the process that waits."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from contextlib import suppress

from flyte_sidecar._sync import run_sync
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import Event
from flyte_sidecar.local_runs.run_store import RunStore

EXIT_TIMEOUT = 2.0
"""Seconds for which the exit of the process waits for its events, and then for its waits."""


class OpenWait:
    """A wait for the answer of an event.

    Parameters
    ----------
    action
        The SDK's object of the action whose task waits. Its names are not unique: two runs of a
        process may have the same ones.
    running
        The task that waits; it belongs to the running event loop.
    """

    def __init__(
        self, store: RunStore, event: Event, action: object, running: asyncio.Task[Event]
    ) -> None:
        self.event = event
        self.action = action
        self.running = running
        self.ended = threading.Event()
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._process = os.getpid()

    @property
    def inherited(self) -> bool:
        """Whether the wait belongs to a process that this one was forked from."""
        return self._process != os.getpid()

    def cancel(self) -> None:
        """Cancel the wait, from any thread."""
        with suppress(RuntimeError):  # its loop may be closed
            self._loop.call_soon_threadsafe(self.running.cancel)

    async def abort(self, reason: str) -> None:
        """Abort the event if it is still pending; raises nothing."""
        # The store does so later, or this process is gone then. RuntimeError: it is exiting.
        with suppress(SidecarError, RuntimeError):
            await asyncio.shield(self._store.abort(self.event, reason))


_open_waits: set[OpenWait] = set()
_exiting = False


def add(wait: OpenWait) -> None:
    """Add a wait that has started."""
    _open_waits.add(wait)


def remove(wait: OpenWait) -> None:
    """Remove a wait that has ended."""
    _open_waits.discard(wait)
    wait.ended.set()


def has_namesake(event: Event) -> bool:
    """Return whether another event of the run with the same name is waited for."""
    key = (event.run_name, event.name)
    return any(
        (wait.event.run_name, wait.event.name) == key and wait.event is not event
        for wait in [*_open_waits]
    )


async def end_waits(action: object) -> None:
    """End the waits of an action of the SDK that has ended itself, as a deployment does."""
    waits = [*_open_waits]
    ended = [wait for wait in waits if wait.action is action and not wait.inherited]
    for wait in ended:
        wait.cancel()
    await asyncio.gather(*(wait.abort("the task that waited has ended") for wait in ended))


async def block_at_exit() -> None:
    """Return at once, or block while the process exits, until the wait is cancelled."""
    if _exiting:
        await asyncio.get_running_loop().create_future()


def _end_at_exit() -> None:
    """Abort the events, then cancel the waits, so that no task ends with an error."""
    global _exiting
    _exiting = True
    waits = [wait for wait in _open_waits if not wait.inherited]
    if not waits:
        return
    with suppress(Exception):
        run_sync(_abort_all(waits))
    for wait in waits:
        wait.cancel()
    deadline = time.monotonic() + EXIT_TIMEOUT
    for wait in waits:
        wait.ended.wait(max(0.0, deadline - time.monotonic()))


async def _abort_all(waits: list[OpenWait]) -> None:
    aborting = asyncio.gather(*(wait.abort("the process of the run ended") for wait in waits))
    await asyncio.wait_for(aborting, EXIT_TIMEOUT)


atexit.register(_end_at_exit)  # runs before the background loop stops: that registered earlier
