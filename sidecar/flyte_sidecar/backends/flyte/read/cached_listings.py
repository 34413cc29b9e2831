"""The cache of listings that cursors refer to, so that all pages are of the same listing."""

from __future__ import annotations

import secrets
from collections.abc import Hashable
from time import monotonic

from cachetools import TTLCache
from msgspec import Struct

from flyte_sidecar.backends.flyte.read.paused_actions import PausedActions
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.errors import CursorExpired

CURSOR_TTL = 600.0
"""How long a cursor is valid after its last use, in seconds."""

MAX_CACHED_ROWS = 100_000
"""Maximum number of actions in all cached listings."""


class CachedListing(Struct, frozen=True):
    """The actions that the pages of one listing return, in order.

    Attributes
    ----------
    key
        The params that all pages must have in common.
    rows
        The actions; with `paused`, those that are known so far.
    paused
        What lists further actions; None if `rows` has all of them.
    """

    key: Hashable
    rows: list[ListedAction]
    paused: PausedActions | None = None

    async def extend(self, count: int) -> None:
        """List further actions until `rows` has at least `count` of them, or all."""
        if self.paused is not None:
            await self.paused.extend(count)

    def has_after(self, offset: int) -> bool:
        """Return whether there may be actions from an offset on."""
        known = offset < len(self.rows)
        return known or not (self.paused is None or self.paused.is_complete)


class CachedListings:
    """Caches listings by id for `CURSOR_TTL`; a cursor is the id and an offset."""

    def __init__(self) -> None:
        self._listings: TTLCache[str, CachedListing] = TTLCache(
            MAX_CACHED_ROWS, CURSOR_TTL, monotonic, _size
        )

    def resume(self, cursor: str, key: Hashable) -> tuple[CachedListing, str, int]:
        """Return the listing of a cursor, its id, and the offset in it.

        Raises
        ------
        CursorExpired
            If it is malformed, expired, or belongs to a listing of another key.
        """
        listing_id, _, offset = cursor.partition(".")
        listing = self._listings.get(listing_id)
        is_offset = offset.isascii() and offset.isdigit() and len(offset) < 10
        if listing is None or listing.key != key or not is_offset:
            raise CursorExpired("the cursor does not belong to this listing: list from the start")
        return listing, listing_id, int(offset)

    def save(self, listing: CachedListing, listing_id: str | None, offset: int) -> str | None:
        """Return a cursor for an offset in a listing; None at its end.

        Raises
        ------
        RpcError
            If the listing has more rows than may be cached.
        """
        if not listing.has_after(offset):
            return None
        listing_id = listing_id or secrets.token_hex(8)
        try:
            self._listings[listing_id] = listing  # extends its time to live
        except ValueError:
            count = len(listing.rows)
            reason = f"there are {count} events; at most {MAX_CACHED_ROWS} can be listed"
            raise RpcError("OUT_OF_RANGE", reason) from None
        return f"{listing_id}.{offset}"


def _size(listing: CachedListing) -> int:
    return max(1, len(listing.rows))
