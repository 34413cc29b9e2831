"""Pages of events.

The first page fixes which actions are listed, and in which order; each page tells the events
as they stand then.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from msgspec import json

from sidecar.backends.flyte.cursors import Cursors, Listing
from sidecar.backends.flyte.reading import Reader
from sidecar.backends.flyte.runs import Runs
from sidecar.backends.flyte.snapshot import Snapshots
from sidecar.backends.flyte.standing import events_of
from sidecar.events.model import PAUSED, Event, EventPage, PendingQuery, Query

FRESH = 2.0
"""Seconds for which what a listing told of an unresolved event counts as true."""

AHEAD = 64
"""Events that are made ready at once: a page may end early."""


class Pages:
    """Gives pages; every method raises `CallFailed` and `CursorExpired` alone."""

    def __init__(self, reader: Reader, snapshots: Snapshots, runs: Runs) -> None:
        self._reader = reader
        self._snapshots = snapshots
        self._runs = runs
        self._cursors = Cursors()

    async def page(self, query: Query) -> EventPage:
        """Give one page of a run's events."""
        phases = None if query.phases is None else frozenset(query.phases)
        key = (query.run, query.parent, phases)
        name, place = None, 0
        if query.cursor is None:
            taken = monotonic()
            rows = await self._reader.lister.every(query.run)
            wanted = [
                row
                for row in rows
                if row.is_event is not False and query.parent in (None, row.parent)
            ]
            listing = Listing(key, wanted, taken)
        else:
            listing, name, place = self._cursors.resume(query.cursor, key)
        names = not query.details and bool(self._reader.lister.phases_follow)
        await self._snapshots.complete(query.run, listing.rows, place, query.limit, names=names)
        wants = phases.__contains__ if phases is not None else _any
        details = query.details
        page, place = await self._tell(listing, place, query, wants, details=details)
        return EventPage(events=page, next_cursor=self._cursors.keep(listing, name, place))

    async def pending(self, query: PendingQuery) -> EventPage:
        """Give one page of the events of all runs of a place that wait for an answer."""
        name, place = None, 0
        if query.cursor is None:
            taken = monotonic()
            listing = Listing(query.place, await self._runs.paused(query.place), taken)
        else:
            listing, name, place = self._cursors.resume(query.cursor, query.place)
        page, place = await self._tell(listing, place, query, PAUSED.__eq__, details=True)
        return EventPage(events=page, next_cursor=self._cursors.keep(listing, name, place))

    async def _tell(
        self,
        listing: Listing,
        place: int,
        query: Query | PendingQuery,
        wants: Callable[[str], bool],
        *,
        details: bool,
    ) -> tuple[list[Event], int]:
        """Give a page's events from a place on, and the place after them."""
        page: list[Event] = []
        size = 0
        while place < len(listing.rows) and len(page) < query.limit:
            ahead = listing.rows[place : place + min(AHEAD, query.limit - len(page))]
            fresh = monotonic() - listing.taken < FRESH
            for event in await events_of(
                self._reader, ahead, details=lambda _: details, wants=wants, fresh=fresh
            ):
                if event is not None:
                    size += len(json.encode(event)) + 1
                    if page and size > query.max_bytes:
                        return page, place
                    page.append(event)
                place += 1
        return page, place


def _any(_: str) -> bool:
    return True
