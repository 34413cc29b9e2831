"""The wait for the first of all answers to an event.

The store decides: an answer at the terminal or in the TUI is a signal like any other, and the
first signal wins. So an answer that the store has accepted is never lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from flyte_sidecar._futures import wait_all
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import SUCCEEDED, TIMED_OUT, Event, Payload
from flyte_sidecar.local_runs import notices, open_waits
from flyte_sidecar.local_runs.run_store import RunStore
from flyte_sidecar.local_runs.sources import AnswerSource
from flyte_sidecar.local_runs.tui import TuiClosed


class Race:
    """The wait for an event of a local run.

    Parameters
    ----------
    action
        The SDK's object of the action whose task waits.
    ask
        Asks a person at the process of the run.
    """

    def __init__(
        self, store: RunStore, event: Event, action: object, ask: Callable[[Event], AnswerSource]
    ) -> None:
        self._store = store
        self._event = event
        self._action = action
        self._ask = ask

    async def first_answer(self, timeout: float | None) -> Event:
        """Return the event once it is resolved. It does not stay pending if this raises an error.

        Raises
        ------
        SidecarError
            If the store can no longer be used, and there is no answer yet.
        TuiClosed
        """
        running = asyncio.ensure_future(self._run(timeout))
        wait = open_waits.OpenWait(self._store, self._event, self._action, running)
        open_waits.add(wait)
        try:
            return await running
        except BaseException as error:
            running.cancel()
            if not wait.inherited:
                await wait.abort(_REASONS.get(type(error), "the run cannot use the store any more"))
            raise
        finally:
            open_waits.remove(wait)

    async def _run(self, timeout: float | None) -> Event:
        source = self._ask(self._event)
        resolved = asyncio.ensure_future(self._store.resolved(self._event))
        answered = asyncio.ensure_future(source.answer())
        ended: Event | None = None
        try:
            ended = await self._first(resolved, answered, timeout)
        finally:
            source.close(ended)
            resolved.cancel()
            answered.cancel()
            await wait_all([resolved, answered])
        return ended

    async def _first(
        self,
        resolved: asyncio.Future[Event],
        answered: asyncio.Future[Payload],
        timeout: float | None,
    ) -> Event:
        either: set[asyncio.Future[Any]] = {resolved, answered}
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if resolved.done():
            await open_waits.block_at_exit()
            return resolved.result()
        if answered.done():
            return await self._signal(answered.result())
        return await self._time_out()

    async def _signal(self, payload: Payload) -> Event:
        try:
            return await self._store.signal(self._event, payload)
        except SidecarError as error:
            notices.show_unavailable(error)
            return replace(self._event, phase=SUCCEEDED, pending=False, payload=payload)

    async def _time_out(self) -> Event:
        try:
            return await self._store.time_out(self._event)
        except SidecarError as error:
            notices.show_unavailable(error)
            return replace(self._event, phase=TIMED_OUT, pending=False)


_REASONS: dict[type[BaseException], str] = {
    asyncio.CancelledError: "the task no longer waits",
    TuiClosed: "the TUI was closed",
}
"""Why an event is aborted, by the error that ended its wait."""
