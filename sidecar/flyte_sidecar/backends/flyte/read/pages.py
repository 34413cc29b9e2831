"""Pages of events.

The first page lists the actions and caches the listing. Later pages return further rows of it, in
their current state.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import json

from flyte_sidecar.backends.flyte.read.bulk_metadata import BulkMetadataReader
from flyte_sidecar.backends.flyte.read.cached_listings import CachedListing, CachedListings
from flyte_sidecar.backends.flyte.read.events import MAX_CONCURRENT_READS, EventReader
from flyte_sidecar.backends.flyte.read.runs import RunLister
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.events.model import PAUSED, Event, EventPage, PendingQuery, Query


class PageReader:
    """Lists events in pages; every method raises only `RpcError` and `CursorExpired`."""

    def __init__(self, reader: EventReader, metadata: BulkMetadataReader, runs: RunLister) -> None:
        self._reader = reader
        self._metadata = metadata
        self._runs = runs
        self._listings = CachedListings()

    async def page(self, query: Query) -> EventPage:
        """Return one page of a run's events."""
        phases = None if query.phases is None else frozenset(query.phases)
        key = (query.run, query.parent, phases)
        wants = phases.__contains__ if phases is not None else _any
        details = query.details
        listing_id, offset = None, 0
        if query.cursor is None:
            rows = [
                row
                for row in await self._reader.lister.list_all(query.run)
                if row.is_event is not False and query.parent in (None, row.parent)
            ]
            await self._metadata.complete(
                query.run, rows, lambda row: not details and self._needs_only_metadata(row, wants)
            )
            listing = CachedListing(key, rows)
        else:
            listing, listing_id, offset = self._listings.resume(query.cursor, key)
        page, offset = await self._read_page(listing, offset, query, wants, details=details)
        next_cursor = self._listings.save(listing, listing_id, offset)
        return EventPage(events=page, next_cursor=next_cursor, unavailable=[])

    async def pending(self, query: PendingQuery) -> EventPage:
        """Return one page of the pending events of all runs of a scope."""
        listing_id, offset = None, 0
        if query.cursor is None:
            paused = await self._runs.list_paused(query.scope)
            listing = CachedListing(query.scope, paused.rows, paused)
        else:
            listing, listing_id, offset = self._listings.resume(query.cursor, query.scope)
        page, offset = await self._read_page(listing, offset, query, PAUSED.__eq__, details=True)
        next_cursor = self._listings.save(listing, listing_id, offset)
        return EventPage(events=page, next_cursor=next_cursor, unavailable=[])

    async def _read_page(
        self,
        listing: CachedListing,
        offset: int,
        query: Query | PendingQuery,
        wants: Callable[[str], bool],
        *,
        details: bool,
    ) -> tuple[list[Event], int]:
        """Return the events of a page from an offset on, and the offset after them."""
        page: list[Event] = []
        size = count = 0
        while len(page) < query.limit:
            # After rows without events, such as answered ones that stay paused, more are read.
            count = min(MAX_CONCURRENT_READS, max(query.limit - len(page), 2 * count))
            await listing.extend(offset + count)
            rows = listing.rows[offset : offset + count]
            if not rows:
                break
            for event in await self._reader.resolve_rows(
                rows, details=lambda _: details, wants=wants
            ):
                if event is not None:
                    count = 0
                    size += len(json.encode(event)) + 1
                    if page and (size > query.max_bytes or len(page) == query.limit):
                        return page, offset
                    page.append(event)
                offset += 1
        return page, offset

    def _needs_only_metadata(self, row: ListedAction, wants: Callable[[str], bool]) -> bool:
        """Return whether a wanted event needs its details only for its name and type."""
        return (
            bool(self._reader.lister.updates_phases)
            and wants(row.phase)
            and self._reader.cache.resolved(row) is None
            and (row.ended or self._reader.proves_pending(row))
        )


def _any(_: str) -> bool:
    return True
