"""Opening the stream of a run's changes, and reopening it when only the stream fails.

When the backend is unreachable, the informer reconnects: it opens a new stream, and resyncs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.watch.refresh_failures import internal_error
from flyte_sidecar.backends.flyte.watch.schedule import SharedRates
from flyte_sidecar.events.model import Run

MAX_SHORT_FAILURES = 3
"""Consecutive short-lived streams after which polls replace the stream for some time."""


class Stream:
    """One run's stream.

    Parameters
    ----------
    on_action
        Called with each reported action; the first messages report all of them, in no order.
    wake
        Called after each message, and when the stream ends.

    Attributes
    ----------
    open
        Whether the stream is open.
    live
        Whether the open stream has delivered a message: a proxy may hold it back silently.
    reported
        The names of the actions that the stream has reported.
    """

    def __init__(
        self,
        run: Run,
        service: RunService,
        rates: SharedRates,
        on_action: Callable[[run_definition_pb2.Action], None],
        wake: Callable[[], None],
    ) -> None:
        self.open = False
        self.live = False
        self.reported: set[str] = set()
        self._run = run
        self._service = service
        self._limiter = rates.streams
        self._timing = rates.timing
        self._on_action = on_action
        self._wake = wake
        self._failures = 0
        self._calls_succeed = False

    def record_call_success(self) -> None:
        """Record that other calls succeed: if the stream breaks now, only the stream fails."""
        self._calls_succeed = True

    async def follow(self) -> None:
        """Report actions; reopen the stream whenever only the stream fails.

        Raises
        ------
        RpcError
            If the stream breaks after it reported actions, or the backend is unreachable.
        """
        while True:
            while not self._limiter.acquire(self._run, long_lived=True):
                await self._wait_without_stream()
            try:
                await self._read()
            except RpcError as failure:
                reconnect = bool(self.reported) or failure.status == "UNAVAILABLE"
                # For some runs each stream fails immediately, and some proxies pass none.
                self._failures += self._calls_succeed or not reconnect
                self._calls_succeed = False
                if self._failures >= MAX_SHORT_FAILURES or failure.status == "UNIMPLEMENTED":
                    self._failures = 0
                    self._limiter.mark_failing(self._run, failure)
                elif reconnect:
                    raise
            except Exception as exception:  # an unexpected message must not end the informer
                internal_error(exception, f"the stream of run {self._run.name!r}")
                self._limiter.mark_failing(
                    self._run, RpcError("INTERNAL", type(exception).__name__)
                )
            finally:
                self._limiter.release()
            await asyncio.sleep(self._timing.backoff(self._failures + 1))

    async def _wait_without_stream(self) -> None:
        self._limiter.runs_without_stream += 1
        try:
            await asyncio.sleep(self._timing.stream_interval)
        finally:
            self._limiter.runs_without_stream -= 1

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
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
            if loop.time() - started > self._timing.stream_lifetime:
                self._failures = 0
