"""Pages of events.

The first page fixes which actions are listed, in which order and in which phases. Later pages
list nothing again: they add only what has become known since.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import json

from sidecar.backends.flyte.conversion import Row
from sidecar.backends.flyte.cursors import Cursors, Listing
from sidecar.backends.flyte.reading import AT_ONCE, Reader
from sidecar.backends.flyte.runs import Runs
from sidecar.backends.flyte.snapshot import Snapshots
from sidecar.backends.flyte.standing import events_of
from sidecar.events.model import PAUSED, Event, EventPage, PendingQuery, Query


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
        wants = phases.__contains__ if phases is not None else _any
        details = query.details
        name, place = None, 0
        if query.cursor is None:
            rows = [
                row
                for row in await self._reader.lister.every(query.run)
                if row.is_event is not False and query.parent in (None, row.parent)
            ]
            await self._snapshots.complete(
                query.run, rows, lambda row: not details and self._lacks_only_names(row, wants)
            )
            listing = Listing(key, rows)
        else:
            listing, name, place = self._cursors.resume(query.cursor, key)
        page, place = await self._tell(listing, place, query, wants, details=details)
        return EventPage(events=page, next_cursor=self._cursors.keep(listing, name, place))

    async def pending(self, query: PendingQuery) -> EventPage:
        """Give one page of the events of all runs of a place that wait for an answer."""
        name, place = None, 0
        if query.cursor is None:
            listing = Listing(query.place, await self._runs.paused(query.place))
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
            ahead = listing.rows[place : place + min(AT_ONCE, query.limit - len(page))]
            for event in await events_of(
                self._reader, ahead, details=lambda _: details, wants=wants
            ):
                if event is not None:
                    size += len(json.encode(event)) + 1
                    if page and size > query.max_bytes:
                        return page, place
                    page.append(event)
                place += 1
        return page, place

    def _lacks_only_names(self, row: Row, wants: Callable[[str], bool]) -> bool:
        """Return whether a wanted event would be asked for its details only for name and type."""
        return (
            bool(self._reader.lister.phases_follow)
            and wants(row.phase)
            and self._reader.memory.resolved(row) is None
            and (row.ended or self._reader.shows_pending(row))
        )


def _any(_: str) -> bool:
    return True
