"""Names and types of many events at once, where listings leave them out.

`WatchActions` begins with all actions of a run, which costs far less than to ask for the
details of each. It has no mark where that ends, and for some runs it never works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing

from flyte_sidecar.backends.flyte.cache import EventCache
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction, event_metadata
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.backends.flyte.rpc.stream_limiter import StreamLimiter
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.events.model import Run

DETAILS_COST = 2.1
"""Milliseconds for the details of one action, while many are asked for."""

ACTION_COST = 0.015
"""Milliseconds for one action of a snapshot."""

STREAM_COST = 5.0
"""Milliseconds for a snapshot, however small. All three were measured on release 2.0.43."""


class BulkMetadataReader:
    """Completes rows from snapshots."""

    def __init__(
        self, service: RunService, cache: EventCache, streams: StreamLimiter, timing: Timing
    ) -> None:
        self._service = service
        self._cache = cache
        self._streams = streams
        self._timing = timing

    async def complete(
        self, run: Run, rows: Sequence[ListedAction], wants_name: Callable[[ListedAction], bool]
    ) -> None:
        """Complete rows from one snapshot, unless fetching what is missing costs less.

        What is missing is the kind of any row, and the name and type of the events for which
        `wants_name` returns true. Rows that the snapshot lacks stay incomplete.
        """
        for one in rows:
            self._cache.complete(one)
        missing = {
            one.action_name
            for one in rows
            if one.is_event is None or (not one.is_complete and wants_name(one))
        }
        count = len(missing)
        cost = STREAM_COST + ACTION_COST * len(rows)
        if count * DETAILS_COST <= cost or not self._streams.acquire(run):
            return
        try:
            await self._read(run, {one.action_name: one for one in rows}, missing)
        except RpcError as failure:
            if failure.status in ("UNKNOWN", "UNIMPLEMENTED"):
                self._streams.mark_failing(run, failure)
        except TimeoutError:
            if len(missing) == count:
                silence = RpcError("DEADLINE_EXCEEDED", "the stream of changes stays empty")
                self._streams.mark_failing(run, silence)
        finally:
            self._streams.release()

    async def _read(self, run: Run, rows: Mapping[str, ListedAction], missing: set[str]) -> None:
        """Read a snapshot until nothing is missing or nothing missing has arrived for some time.

        Nothing marks the end of a snapshot, and the changes that follow it may never pause.
        """
        loop = asyncio.get_running_loop()
        due = loop.time() + self._timing.snapshot_timeout
        async with aclosing(self._service.watch_actions(run)) as stream:
            while missing:
                async with asyncio.timeout_at(due):
                    message = await anext(stream, None)
                if message is None:
                    return
                before = len(missing)
                for enriched in message:
                    name, known = enriched.action.id.name, event_metadata(enriched.action)
                    self._cache.learn(run, name, known)
                    if name in rows:
                        rows[name].add_metadata(known)
                    missing.discard(name)
                if len(missing) < before:
                    gap = max(self._timing.snapshot_gap, len(missing) * DETAILS_COST / 1000)
                    due = loop.time() + gap
