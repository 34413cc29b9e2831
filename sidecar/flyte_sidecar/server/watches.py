"""The open watches of one connection: from their feeds to notifications."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from flyte_sidecar._futures import retrieve_exception, wait_all
from flyte_sidecar.errors import InvalidParams, RequestCancelled, SidecarError
from flyte_sidecar.events.coalescing import Changed, CoalescingQueue, Disconnected, WatchUpdate
from flyte_sidecar.protocol import methods, results
from flyte_sidecar.rpc.output_queue import OutputQueue
from flyte_sidecar.rpc.requests import Call, Notice

IN_A_ROW = 64
"""Notes that are told before others get their turn."""


class OpenWatches:
    """The watches of a connection, by the names that its client gave them."""

    def __init__(self) -> None:
        self._open: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(
        self,
        name: str,
        watch: CoalescingQueue,
        feeding: Coroutine[Any, Any, None],
        call: Call,
        output: OutputQueue[Any],
    ) -> asyncio.Future[results.WatchResult]:
        """Begin to tell a watch; the result tells why it ended.

        Parameters
        ----------
        feeding
            Puts into the watch what is to be told.
        call
            The request, which stays open.

        Raises
        ------
        InvalidParams
            If a watch of that name is open.
        """
        if name in self._open:
            feeding.close()
            raise InvalidParams(f"a watch {name[:100]!r} is open already", path="/watch")
        feed = asyncio.ensure_future(feeding)
        telling = asyncio.ensure_future(_tell(name, watch, feed, output))

        def ended(_: object) -> None:
            del self._open[name]
            feed.cancel()

        self._open[name] = call
        call.when_ended = _reason
        telling.add_done_callback(ended)
        feed.add_done_callback(retrieve_exception)
        return telling

    def end(self, name: str) -> Coroutine[Any, Any, None] | None:
        """End a watch, and wait until its request is answered; nothing where none is open.

        It ends the watch that is open now, and none that a later request opens.
        """
        call = self._open.get(name)
        if call is None or call.task is None:
            return None
        call.stop(RequestCancelled("the watch was ended"))
        return wait_all([call.task])


async def _tell(
    name: str, watch: CoalescingQueue, feed: asyncio.Future[None], output: OutputQueue[Any]
) -> results.WatchResult:
    sequence = 0
    while True:
        await output.wait_for_room()  # until then, later states take the place of earlier ones
        note = watch.take()
        if note is not None:
            sequence += 1
            output.put(_notice(name, sequence, note))
            if sequence % IN_A_ROW == 0:
                await asyncio.sleep(0)
        elif feed.done():
            feed.result()
            return results.WatchResult(reason="finished")
        else:
            await asyncio.wait({feed, watch.available()}, return_when=asyncio.FIRST_COMPLETED)


def _reason(ending: SidecarError) -> results.WatchResult:
    cancelled = isinstance(ending, RequestCancelled)
    return results.WatchResult(reason="cancelled" if cancelled else "shutdown")


def _notice(name: str, sequence: int, note: WatchUpdate) -> Notice:
    its: dict[str, Any] = {"watch": name, "sequence": sequence}
    if isinstance(note, Changed):
        told = results.EventChanged(**its, change=note.change, event=note.event)
        return Notice(methods.CHANGED.name, told)
    if isinstance(note, Disconnected):
        error = results.error_of(note.error)
        return Notice(methods.DISCONNECTED.name, results.WatchDisconnected(**its, error=error))
    if note.again:
        return Notice(methods.RESYNCED.name, results.WatchResynced(**its))
    return Notice(methods.SYNCED.name, results.WatchSynced(**its))
