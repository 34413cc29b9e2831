"""The paused actions of many runs in order of creation, listed only as far as they are needed.

An action is not older than its run. So the first actions are known before all runs are listed.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from itertools import chain
from math import inf

from flyte_sidecar.backends.flyte.read.events import MAX_CONCURRENT_READS, map_concurrently
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.events.model import Run


class PausedActions:
    """The paused actions of runs; every method raises only `RpcError`.

    Parameters
    ----------
    runs
        Each run, and when it was created.
    list_paused
        Returns the paused actions of a run.

    Attributes
    ----------
    rows
        The first actions, in order of creation.
    """

    def __init__(
        self,
        runs: Iterable[tuple[Run, datetime]],
        list_paused: Callable[[Run], Awaitable[list[ListedAction]]],
    ) -> None:
        self.rows: list[ListedAction] = []
        self._unlisted = sorted(runs, key=lambda run: run[1])
        self._later: list[ListedAction] = []  # an action that is not listed may precede them
        self._list_paused = list_paused
        self._extending = asyncio.Lock()

    @property
    def is_complete(self) -> bool:
        """Whether `rows` contains all actions."""
        return not (self._unlisted or self._later)

    async def extend(self, count: int) -> None:
        """List further runs until `rows` has at least `count` actions, or all."""
        async with self._extending:
            size = count - len(self.rows)
            while len(self.rows) < count and self._unlisted:
                size = min(size, MAX_CONCURRENT_READS)
                runs = [run for run, _ in self._unlisted[:size]]
                self._later += chain.from_iterable(await map_concurrently(runs, self._list_paused))
                del self._unlisted[:size]
                self._move_certain()
                size *= 2  # before 2.0.30, most runs have no paused actions

    def _move_certain(self) -> None:
        """Move the actions that no other precedes from `_later` to `rows`."""
        # Actions are listed with the whole second of their creation.
        until = int(self._unlisted[0][1].timestamp()) if self._unlisted else inf
        self._later.sort(key=_sort_key)
        certain = bisect_left(self._later, until, key=lambda row: row.sort_key[0])
        self.rows += self._later[:certain]
        del self._later[:certain]


def _sort_key(row: ListedAction) -> tuple[float, str, str]:
    created, action = row.sort_key
    return created, row.run.name, action
