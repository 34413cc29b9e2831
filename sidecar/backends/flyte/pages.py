"""Pages of a run's events.

The first page fixes which actions are listed, and in which order. A cursor stands for a place
in that list, which is kept for some time; each page tells the events as they stand then.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from time import monotonic

from cachetools import TTLCache
from msgspec import Struct, json

from sidecar.backends.flyte.conversion import Row, listed_event
from sidecar.backends.flyte.reading import Reader
from sidecar.backends.flyte.snapshot import Snapshots
from sidecar.backends.flyte.transport import CallFailed
from sidecar.errors import CursorExpired
from sidecar.events.model import Event, EventPage, Query

KEPT = 600.0
"""Seconds for which a cursor is good."""

ROWS = 500_000
"""Actions in all listings that are kept."""

FRESH = 2.0
"""Seconds for which what a listing told of an unresolved event counts as true."""

AHEAD = 64
"""Events that are made ready at once: a page may end early."""


class Listing(Struct, frozen=True):
    """The actions of a run that may be events, as `query` wants them."""

    query: tuple[object, ...]
    rows: list[Row]
    taken: float


class Pages:
    """Gives pages, and keeps the listings that cursors stand for."""

    def __init__(self, reader: Reader, snapshots: Snapshots) -> None:
        self._reader = reader
        self._snapshots = snapshots
        self._kept: TTLCache[str, Listing] = TTLCache(ROWS, KEPT, monotonic, _size)

    async def page(self, query: Query) -> EventPage:
        """Give one page of a listing.

        Raises
        ------
        CursorExpired
            If the query's cursor stands for no place in this listing, or no longer.
        """
        if query.cursor is None:
            name, place, listing = None, 0, await self._begin(query)
        else:
            name, place, listing = self._resume(query, query.cursor)
        rows = listing.rows
        await self._snapshots.complete(query.run, rows, place, query.limit)
        page: list[Event] = []
        size = 0
        while place < len(rows) and len(page) < query.limit:
            ahead = rows[place : place + min(AHEAD, query.limit - len(page))]
            for event in await self._events(query, listing, ahead):
                if event is not None and _fits(query, event):
                    size += len(json.encode(event)) + 1
                    if page and size > query.max_bytes:
                        return self._until(place, page, name, listing)
                    page.append(event)
                place += 1
        return self._until(place, page, name, listing)

    async def _begin(self, query: Query) -> Listing:
        taken = monotonic()
        rows = await self._reader.lister.every(query.run)
        wanted = [
            row for row in rows if row.is_event is not False and query.parent in (None, row.parent)
        ]
        return Listing(_key(query), wanted, taken)

    def _resume(self, query: Query, cursor: str) -> tuple[str, int, Listing]:
        name, _, place = cursor.partition(".")
        listing = self._kept.get(name)
        known = listing is not None and listing.query == _key(query)
        if not known or not (place.isascii() and place.isdigit() and len(place) < 10):
            raise CursorExpired("the cursor does not belong to this listing: list from the start")
        assert listing is not None
        return name, int(place), listing

    def _until(
        self, place: int, page: list[Event], name: str | None, listing: Listing
    ) -> EventPage:
        """Give the page, and a cursor for the rest if there is any."""
        if place >= len(listing.rows):
            return EventPage(events=page, next_cursor=None)
        name = name or secrets.token_hex(8)
        try:
            self._kept[name] = listing  # anew, so that it is kept for longer
        except ValueError:
            raise CallFailed(
                "OUT_OF_RANGE", f"the run has {len(listing.rows)} events: too many to list"
            ) from None
        return EventPage(events=page, next_cursor=f"{name}.{place}")

    async def _events(
        self, query: Query, listing: Listing, rows: Sequence[Row]
    ) -> list[Event | None]:
        """Give the events of some rows as they stand, None for those that are none or do not fit.

        A row tells all but what only details tell, where its phase is to be relied on.
        """
        run, reader = query.run, self._reader
        fresh = reader.lister.phases_follow and monotonic() - listing.taken < FRESH
        found: dict[str, Event | None] = {}
        asked: list[str] = []
        for row in rows:
            action = row.action_name
            kept = reader.memory.resolved(run, row)
            phase = kept.phase if kept is not None else row.phase
            certain = kept is not None or row.ended or fresh
            if row.is_event is False or (certain and not _wants(query, phase)):
                found[action] = None
            elif kept is not None:
                found[action] = kept
            elif certain and not query.details and row.name and row.expected_type:
                event = listed_event(row, run, reader.url(run))
                found[action] = reader.memory.keep(run, event) if event.pending else event
            else:
                asked.append(action)
        events = await reader.events(run, asked)
        found |= zip(asked, events, strict=True)
        return [found[row.action_name] for row in rows]


def _wants(query: Query, phase: str) -> bool:
    return query.phases is None or phase in query.phases


def _fits(query: Query, event: Event) -> bool:
    return _wants(query, event.phase)


def _key(query: Query) -> tuple[object, ...]:
    """Give what makes a listing: its pages may differ in the rest."""
    phases = None if query.phases is None else frozenset(query.phases)
    return (query.run, query.parent, phases)


def _size(listing: Listing) -> int:
    return max(1, len(listing.rows))
