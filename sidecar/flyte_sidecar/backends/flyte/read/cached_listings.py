"""The listings of cursors: which actions, in which order, as the first page found them."""

from __future__ import annotations

import secrets
from collections.abc import Hashable
from time import monotonic

from cachetools import TTLCache
from msgspec import Struct

from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.errors import CursorExpired

CURSOR_TTL = 600.0
"""How long a cursor is valid after its last use, in seconds."""

MAX_CACHED_ROWS = 100_000
"""Maximum number of actions in all listings that are kept."""


class CachedListing(Struct, frozen=True):
    """The actions that a listing is of.

    Attributes
    ----------
    key
        Identifies the listing; the pages may differ in other params.
    """

    key: Hashable
    rows: list[ListedAction]


class CachedListings:
    """Keeps listings for some time after their last use."""

    def __init__(self) -> None:
        self._listings: TTLCache[str, CachedListing] = TTLCache(
            MAX_CACHED_ROWS, CURSOR_TTL, monotonic, _size
        )

    def resume(self, cursor: str, key: Hashable) -> tuple[CachedListing, str, int]:
        """Return the listing of a cursor, its name, and the offset in it.

        Raises
        ------
        CursorExpired
            If it is malformed, expired, or belongs to a listing of another key.
        """
        name, _, offset = cursor.partition(".")
        listing = self._listings.get(name)
        is_offset = offset.isascii() and offset.isdigit() and len(offset) < 10
        if listing is None or listing.key != key or not is_offset:
            raise CursorExpired("the cursor does not belong to this listing: list from the start")
        return listing, name, int(offset)

    def save(self, listing: CachedListing, name: str | None, offset: int) -> str | None:
        """Return a cursor for an offset in a listing, None at its end."""
        if offset >= len(listing.rows):
            return None
        name = name or secrets.token_hex(8)
        try:
            self._listings[name] = listing  # extends its time to live
        except ValueError:
            reason = f"{len(listing.rows)} events are too many to list"
            raise RpcError("OUT_OF_RANGE", reason) from None
        return f"{name}.{offset}"


def _size(listing: CachedListing) -> int:
    return max(1, len(listing.rows))
