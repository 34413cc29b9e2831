"""The answer of the SDK's TUI, which runs in the process of the run."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.events.model import TIMED_OUT, Event, Payload
from flyte_sidecar.local_runs.sdk import SdkNames


class TuiClosed(Exception):
    """The TUI was closed without an answer."""


class TuiAnswer:
    """The panel of a waiting condition in the TUI.

    Parameters
    ----------
    pending
        What the TUI's tracker has for the wait.
    """

    def __init__(self, tracker: Any, action_id: str, pending: Any, names: SdkNames) -> None:
        self._tracker = tracker
        self._action_id = action_id
        self._pending = pending
        self._names = names

    async def answer(self) -> Payload:
        """Wait for the answer.

        Raises
        ------
        TuiClosed
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Payload | None] = loop.create_future()

        def wait() -> None:
            value = self._pending.wait_for_result(None)
            with suppress(RuntimeError):  # the loop may be closed
                loop.call_soon_threadsafe(try_set_result, ended, value)

        # Not in the loop's executor: it has few threads, and the exit would wait for this one.
        threading.Thread(target=wait, name="flyte-sidecar-tui", daemon=True).start()
        value = await ended
        if value is None:
            raise TuiClosed
        return value

    def close(self, event: Event | None) -> None:
        """Remove the panel, which then shows the answer if there is one.

        After a timeout the SDK removes it, or another event needs it.
        """
        if event is not None and event.phase == TIMED_OUT:
            return
        answer = None if event is None else event.payload
        # Recording that an action failed removes its panel.
        removes = answer is not None or not self._names.is_action
        with suppress(AttributeError):  # a tracker of a user may have only some of the methods
            if removes and self._current() is self._pending:
                getattr(self._tracker, self._names.resolve)(self._action_id, answer)
            self._pending.set_result(answer)

    def _current(self) -> Any:
        """Return what the panel of the action shows: SDKs before 2.5.0 have one for each task."""
        return getattr(self._tracker, self._names.pending)(self._action_id)
