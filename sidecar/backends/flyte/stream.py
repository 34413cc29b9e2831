"""The stream of a run's changes, opened again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from cachetools import LRUCache
from flyteidl2.workflow import run_definition_pb2

from sidecar.backends.flyte.client import RunService, pause
from sidecar.backends.flyte.transport import CallFailed
from sidecar.events.model import Run

FAILING = 1000
"""Runs that are remembered as ones of which no stream can be had."""

TRIES = 3
"""How often a stream that fails at once is tried before a run counts as one without."""


class Streams:
    """Which runs have a stream, and how many more may be open.

    A server lets a connection have only so many calls; some have no such call, and for some
    runs it fails each time.
    """

    def __init__(self, left: int) -> None:
        self._left = left
        self._implemented = True
        self._failing: LRUCache[Run, bool] = LRUCache(FAILING)

    def take(self, run: Run) -> bool:
        """Tell whether a stream of the run may be opened; if so, it is to be given back."""
        may = self._implemented and self._left > 0 and run not in self._failing
        self._left -= may
        return may

    def give(self) -> None:
        """Give one back."""
        self._left += 1

    def refuse(self, run: Run, failure: CallFailed) -> None:
        """Note that no stream of the run can be had, or of any."""
        if failure.status == "UNIMPLEMENTED":
            self._implemented = False
        else:
            self._failing[run] = True


class Stream:
    """One run's stream.

    Parameters
    ----------
    hear
        Called with each action that is told, first all of them in no order.
    heard
        Called after each message, and when the stream ends.

    Attributes
    ----------
    open
        Whether there is a stream now.
    seen
        The actions that it has told of.
    """

    def __init__(
        self,
        run: Run,
        service: RunService,
        streams: Streams,
        hear: Callable[[run_definition_pb2.Action], None],
        heard: Callable[[], None],
    ) -> None:
        self.open = False
        self.seen: set[str] = set()
        self._run = run
        self._service = service
        self._streams = streams
        self._hear = hear
        self._heard = heard

    async def listen(self) -> None:
        """Hear of changes until the stream breaks; where none can be had, of nothing for ever.

        Raises
        ------
        CallFailed
            If a stream that told something breaks, or the backend is away.
        """
        silent = 0
        while self._streams.take(self._run):
            self.seen.clear()
            self.open = True
            try:
                await self._hear_out()
            except CallFailed as failure:
                # For some runs it fails at once, each time: then looking must do.
                if self.seen or failure.status == "UNAVAILABLE":
                    raise
                silent += 1
                if silent == TRIES or failure.status == "UNIMPLEMENTED":
                    self._streams.refuse(self._run, failure)
            finally:
                self.open = False
                self._streams.give()
                self._heard()
            await asyncio.sleep(pause(silent))
        await asyncio.get_running_loop().create_future()

    async def _hear_out(self) -> None:
        async with aclosing(self._service.watch_actions(self._run)) as messages:
            async for message in messages:
                for enriched in message:
                    self.seen.add(enriched.action.id.name)
                    self._hear(enriched.action)
                self._heard()
        raise CallFailed("UNAVAILABLE", "the stream of changes has ended")
