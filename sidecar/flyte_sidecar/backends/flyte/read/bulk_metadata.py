"""Names and types of many events at once, from a stream, where listings omit them.

`WatchActions` first sends a snapshot: all actions of a run. That costs far less than reading the
details of each. Nothing marks the end of the snapshot, and for some runs the stream always fails.
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
"""Milliseconds for the details of one of many actions."""

ACTION_COST = 0.015
"""Milliseconds for one action of a snapshot."""

STREAM_COST = 5.0
"""Milliseconds for any snapshot. All three were measured on release 2.0.43."""


class BulkMetadataReader:
    """Adds missing names and types to listed rows."""

    def __init__(
        self, service: RunService, cache: EventCache, streams: StreamLimiter, timing: Timing
    ) -> None:
        self._service = service
        self._cache = cache
        self._streams = streams
        self._timing = timing

    async def complete(
        self, run: Run, rows: Sequence[ListedAction], needs_name: Callable[[ListedAction], bool]
    ) -> None:
        """Complete rows from the cache and from one snapshot, unless reading details costs less.

        A row is incomplete without its kind, or without name and type if `needs_name` returns
        true for it. Rows that are not in the snapshot stay incomplete.
        """
        for row in rows:
            self._cache.fill_metadata(row)
        missing = {
            row.action_name
            for row in rows
            if row.is_event is None or (not row.is_complete and needs_name(row))
        }
        count = len(missing)
        cost = STREAM_COST + ACTION_COST * len(rows)
        if count * DETAILS_COST <= cost or not self._streams.acquire(run):
            return
        try:
            await self._read(run, {row.action_name: row for row in rows}, missing)
        except RpcError as failure:
            if failure.status in ("UNKNOWN", "UNIMPLEMENTED"):
                self._streams.mark_failing(run, failure)
        except TimeoutError:
            if len(missing) == count:
                reason = f"the stream sent no data within {self._timing.snapshot_timeout:g} s"
                self._streams.mark_failing(run, RpcError("DEADLINE_EXCEEDED", reason))
        finally:
            self._streams.release()

    async def _read(self, run: Run, rows: Mapping[str, ListedAction], missing: set[str]) -> None:
        """Read a snapshot until no row is incomplete; raise TimeoutError when progress stops.

        Messages alone are no progress, since changes follow the snapshot.
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
                    name, metadata = enriched.action.id.name, event_metadata(enriched.action)
                    self._cache.add_metadata(run, name, metadata)
                    if name in rows:
                        rows[name].add_metadata(metadata)
                    missing.discard(name)
                if len(missing) < before:
                    gap = max(self._timing.snapshot_gap, len(missing) * DETAILS_COST / 1000)
                    due = loop.time() + gap
