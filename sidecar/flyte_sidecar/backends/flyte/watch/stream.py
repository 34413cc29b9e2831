"""The stream of a run's changes, opened again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar.backends.flyte.rpc.run_service import RunService, pause
from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter
from flyte_sidecar.backends.flyte.rpc.transport import RpcError
from flyte_sidecar.backends.flyte.watch.troubles import defect
from flyte_sidecar.events.model import Run

TRIES = 3
"""How often in a row a stream may fail soon, before looking must do for some time."""

SOON = 10.0
"""Seconds that a stream lives which is worth having."""

AGAIN = 10.0
"""Seconds until it is asked again whether a stream may be opened."""


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
    live
        Whether it has told something: a proxy may hold back a stream without a word.
    seen
        The actions that it has told of.
    """

    def __init__(
        self,
        run: Run,
        service: RunService,
        streams: StreamLimiter,
        hear: Callable[[run_definition_pb2.Action], None],
        heard: Callable[[], None],
    ) -> None:
        self.open = False
        self.live = False
        self.seen: set[str] = set()
        self._run = run
        self._service = service
        self._streams = streams
        self._hear = hear
        self._heard = heard
        self._failures = 0
        self._looks_work = False

    def looked(self) -> None:
        """Note that the backend answers otherwise: a stream that breaks now breaks alone."""
        self._looks_work = True

    async def listen(self) -> None:
        """Hear of changes until the stream breaks.

        Raises
        ------
        RpcError
            If a stream that told something breaks, or the backend is away.
        """
        while True:
            while not self._streams.acquire(self._run, long_lived=True):
                await self._do_without()
            try:
                await self._hear_out()
            except RpcError as failure:
                lost = bool(self.seen) or failure.status == "UNAVAILABLE"
                # For some runs it fails at once, each time; and some proxies pass no streams.
                self._failures += self._looks_work or not lost
                self._looks_work = False
                if self._failures >= TRIES or failure.status == "UNIMPLEMENTED":
                    self._failures = 0
                    self._streams.mark_failing(self._run, failure)
                elif lost:
                    raise
            except Exception as fault:  # a message that breaks this must not end who listens
                defect(fault, f"the stream of run {self._run.name!r}")
                self._streams.mark_failing(self._run, RpcError("INTERNAL", type(fault).__name__))
            finally:
                self._streams.release()
            await asyncio.sleep(pause(self._failures + 1))

    async def _do_without(self) -> None:
        self._streams.without += 1
        try:
            await asyncio.sleep(AGAIN)
        finally:
            self._streams.without -= 1

    async def _hear_out(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.seen.clear()
        self.open = True
        try:
            async with aclosing(self._service.watch_actions(self._run)) as messages:
                async for message in messages:
                    self.live = True
                    for enriched in message:
                        self.seen.add(enriched.action.id.name)
                        self._hear(enriched.action)
                    self._heard()
            raise RpcError("UNAVAILABLE", "the stream of changes has ended")
        finally:
            self.open = self.live = False
            self._heard()
            if loop.time() - begun > SOON:
                self._failures = 0
