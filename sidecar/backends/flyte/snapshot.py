"""Names and types of many events at once, where listings leave them out.

`WatchActions` begins with all actions of a run, which costs far less than to ask for the
details of each. It has no mark where that ends, and for some runs it never works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from sidecar.backends.flyte.client import RunService
from sidecar.backends.flyte.conversion import Row, facts, is_known
from sidecar.backends.flyte.memory import Memory
from sidecar.backends.flyte.streams import Streams
from sidecar.backends.flyte.transport import CallFailed
from sidecar.events.model import Run

DETAILS_COST = 2.1
"""Milliseconds for the details of one action, while many are asked for."""

ACTION_COST = 0.015
"""Milliseconds for one action of a snapshot."""

STREAM_COST = 5.0
"""Milliseconds for a snapshot, however small. All three were measured on release 2.0.43."""

PATIENCE = 2.0
"""Seconds that the backend is given for each message of a snapshot."""

LONGEST = 20.0
"""Seconds that a snapshot may take: changes follow it, and may hide that it has ended."""


class Snapshots:
    """Completes rows from snapshots."""

    def __init__(self, service: RunService, memory: Memory, streams: Streams) -> None:
        self._service = service
        self._memory = memory
        self._streams = streams

    async def complete(
        self, run: Run, rows: Sequence[Row], place: int, count: int, *, names: bool
    ) -> None:
        """Fill in what a snapshot tells, if it is cheaper than the details of those wanted.

        Names and types are wanted of `count` rows from `place` on, unless `names` says that
        details are asked for anyway; kinds of all: tasks fill no page.
        """
        for one in rows[place:]:
            self._memory.complete(one)
        missing = [one for one in rows[place:] if one.is_event is None]
        if names:
            missing += [
                one for one in rows[place : place + count] if one.is_event and not is_known(one)
            ]
        cost = STREAM_COST + ACTION_COST * len(rows)
        if len(missing) * DETAILS_COST <= cost or not self._streams.take(run):
            return
        try:
            untold = rows if names else missing
            await self._take(run, {one.action_name: one for one in untold if not is_known(one)})
        except CallFailed as failure:
            if failure.status in ("UNKNOWN", "UNIMPLEMENTED"):
                self._streams.refuse(run, failure)
        except TimeoutError:
            pass  # what has not come is asked for one by one
        finally:
            self._streams.give()

    async def _take(self, run: Run, missing: dict[str, Row]) -> None:
        async with asyncio.timeout(LONGEST), aclosing(self._service.watch_actions(run)) as stream:
            while missing:
                async with asyncio.timeout(PATIENCE):
                    message = await anext(stream, None)
                if message is None:
                    return
                for enriched in message:
                    action = enriched.action
                    wanted = missing.pop(action.id.name, None)
                    known = facts(action)
                    self._memory.learn(run, action.id.name, known)
                    if wanted is not None and known.is_event is not None:
                        wanted.is_event = known.is_event
                        wanted.name = wanted.name or known.name
                        wanted.expected_type = wanted.expected_type or known.expected_type
