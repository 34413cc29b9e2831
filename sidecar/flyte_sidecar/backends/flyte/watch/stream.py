"""The stream of a run's changes: opened, and reopened when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.watch.schedule import Load
from flyte_sidecar.backends.flyte.watch.troubles import internal_error
from flyte_sidecar.events.model import Run

TRIES = 3
"""How often in a row a stream may fail soon before polls replace it for some time."""


class Stream:
    """One run's stream.

    Parameters
    ----------
    on_action
        Called with each action that is reported; at first these are all, in no order.
    wake
        Called after each message, and when the stream ends.

    Attributes
    ----------
    open
        Whether there is a stream now.
    live
        Whether it has reported something: a proxy may hold back a stream without an error.
    reported
        The actions that it has reported.
    """

    def __init__(
        self,
        run: Run,
        service: RunService,
        load: Load,
        on_action: Callable[[run_definition_pb2.Action], None],
        wake: Callable[[], None],
    ) -> None:
        self.open = False
        self.live = False
        self.reported: set[str] = set()
        self._run = run
        self._service = service
        self._limiter = load.streams
        self._timing = load.timing
        self._on_action = on_action
        self._wake = wake
        self._failures = 0
        self._calls_work = False

    def calls_work(self) -> None:
        """Record that other calls succeed: if the stream breaks now, only the stream fails."""
        self._calls_work = True

    async def follow(self) -> None:
        """Report actions; reopen the stream whenever only the stream fails.

        Raises
        ------
        RpcError
            If a stream breaks after it reported something, or the backend is away.
        """
        while True:
            while not self._limiter.acquire(self._run, long_lived=True):
                await self._do_without()
            try:
                await self._read()
            except RpcError as failure:
                lost = bool(self.reported) or failure.status == "UNAVAILABLE"
                # For some runs it fails at once, each time; and some proxies pass no streams.
                self._failures += self._calls_work or not lost
                self._calls_work = False
                if self._failures >= TRIES or failure.status == "UNIMPLEMENTED":
                    self._failures = 0
                    self._limiter.mark_failing(self._run, failure)
                elif lost:
                    raise
            except Exception as fault:  # a message that breaks this must not end the informer
                internal_error(fault, f"the stream of run {self._run.name!r}")
                self._limiter.mark_failing(self._run, RpcError("INTERNAL", type(fault).__name__))
            finally:
                self._limiter.release()
            await asyncio.sleep(self._timing.backoff(self._failures + 1))

    async def _do_without(self) -> None:
        self._limiter.runs_without_stream += 1
        try:
            await asyncio.sleep(self._timing.stream_interval)
        finally:
            self._limiter.runs_without_stream -= 1

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.reported.clear()
        self.open = True
        try:
            async with aclosing(self._service.watch_actions(self._run)) as messages:
                async for message in messages:
                    self.live = True
                    for enriched in message:
                        self.reported.add(enriched.action.id.name)
                        self._on_action(enriched.action)
                    self._wake()
            raise RpcError("UNAVAILABLE", "the stream of changes has ended")
        finally:
            self.open = self.live = False
            self._wake()
            if loop.time() - begun > self._timing.stream_lifetime:
                self._failures = 0
