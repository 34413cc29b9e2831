"""Watches of a store, and helpers for their tests."""

from __future__ import annotations

import asyncio
from typing import Any

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.events.coalescing import CoalescingQueue
from flyte_sidecar.events.model import Event, Query
from flyte_sidecar.events.watch_feed import WatchSelector
from tests.backends.local.worker_process import RUN
from tests.contract.harness import SCOPE, Picture, Watching


class Feeds:
    """Watches of a test, closed at its end."""

    def __init__(self) -> None:
        self._open: list[Watching] = []

    def __call__(self, backend: LocalBackend, run: str | None = RUN.name) -> Watching:
        watch = CoalescingQueue(WatchSelector(scope=SCOPE, run_name=run))
        self._open.append(Watching(watch, asyncio.ensure_future(backend.watch(watch))))
        return self._open[-1]

    async def close(self) -> None:
        for watching in self._open:
            await watching.close()


async def line(process: Any) -> str:
    """Return the next line that a process prints."""
    printed: str = await asyncio.to_thread(process.stdout.readline)
    return printed


async def current_events(backend: LocalBackend) -> dict[str, Event]:
    """Return every event of the run as the store has it, by name."""
    found: dict[str, Event] = {}
    cursor = None
    while True:
        page = await resolve(backend.page(Query(run=RUN, limit=1000, cursor=cursor)))
        found |= {event.name: event for event in page.events}
        cursor = page.next_cursor
        if cursor is None:
            return found


async def reported_as(watching: Watching, event: Event) -> None:
    """Take updates until the event is reported in this state."""
    await watching.until(lambda picture: picture.named().get(event.name) == event)


def ended(picture: Picture) -> int:
    return sum(not event.pending for event in picture.events.values())
