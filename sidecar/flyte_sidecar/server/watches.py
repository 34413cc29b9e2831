"""The open watches of a connection, which send events as notifications."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from flyte_sidecar._futures import retrieve_exception, try_set_result, wait_all
from flyte_sidecar.errors import DeadlineExceeded, InvalidParams, RequestCancelled, SidecarError
from flyte_sidecar.events.coalescing import Changed, CoalescingQueue, Disconnected, WatchUpdate
from flyte_sidecar.protocol import methods, results
from flyte_sidecar.rpc.requests import Context, Deferred

MAX_CONSECUTIVE = 64
"""Number of notifications that a watch sends before other tasks run."""


class OpenWatches:
    """The watches of a connection, by the names that the client chose."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[asyncio.Future[None], asyncio.Future[Any]]] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(
        self,
        name: str,
        updates: CoalescingQueue,
        feeding: Coroutine[Any, Any, None],
        context: Context,
        backend: str,
    ) -> Deferred:
        """Start a watch. It ends when `feeding` ends, when it is cancelled, or by `end`.

        Parameters
        ----------
        feeding
            Coroutine that puts the events to report into `updates`.
        backend
            The backend that notifications name if there is only one.

        Raises
        ------
        InvalidParams
            If a watch with the name is open.
        """
        if name in self._open:
            feeding.close()
            raise InvalidParams(f"a watch {name[:100]!r} is open already", path="/watch")
        feed = asyncio.ensure_future(feeding)
        stop = asyncio.get_running_loop().create_future()
        sending = asyncio.ensure_future(_send(name, updates, feed, stop, context, backend))
        self._open[name] = stop, sending

        def ended(_: object) -> None:
            del self._open[name]
            feed.cancel()

        sending.add_done_callback(ended)
        feed.add_done_callback(retrieve_exception)
        return Deferred(sending, outcome_when_interrupted=_outcome)

    def end(self, name: str) -> Coroutine[Any, Any, None] | None:
        """End a watch and wait until its request is answered; return None if none is open.

        A watch of the same name that a later request opens is not affected.
        """
        if name not in self._open:
            return None
        stop, sending = self._open[name]
        try_set_result(stop, None)
        return wait_all([sending])


async def _send(
    name: str,
    updates: CoalescingQueue,
    feed: asyncio.Future[None],
    stop: asyncio.Future[None],
    context: Context,
    backend: str,
) -> results.WatchResult:
    sequence = 0
    while True:
        await context.wait_for_room()  # during back-pressure, newer states replace older ones
        if stop.done():
            return results.WatchResult(reason="cancelled")
        update = updates.take()
        if update is not None:
            sequence += 1
            context.notify(*_notification(name, sequence, update, backend))
            if sequence % MAX_CONSECUTIVE == 0:
                await asyncio.sleep(0)
        elif feed.done():
            feed.result()
            return results.WatchResult(reason="finished")
        else:
            changed = {feed, stop, updates.available()}
            await asyncio.wait(changed, return_when=asyncio.FIRST_COMPLETED)


def _outcome(reason: SidecarError) -> results.WatchResult | SidecarError:
    """Return the outcome of a watch that is interrupted: an error if its time has passed."""
    if isinstance(reason, DeadlineExceeded):
        return reason
    cancelled = isinstance(reason, RequestCancelled)
    return results.WatchResult(reason="cancelled" if cancelled else "shutdown")


def _notification(
    name: str, sequence: int, update: WatchUpdate, backend: str
) -> tuple[str, object]:
    common: dict[str, Any] = {"watch": name, "sequence": sequence}
    if isinstance(update, Changed):
        changed = results.EventChanged(**common, change=update.change, event=update.event)
        return methods.CHANGED.name, changed
    if isinstance(update, Disconnected):
        error = results.error_of(update.error)
        disconnected = results.WatchDisconnected(
            **common, backend=update.backend or backend, error=error
        )
        return methods.DISCONNECTED.name, disconnected
    if update.again:
        resynced = results.WatchResynced(**common, backend=update.backend or backend)
        return methods.RESYNCED.name, resynced
    return methods.SYNCED.name, results.WatchSynced(**common)
