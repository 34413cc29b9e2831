"""Listings that cursors stand for: which actions, in which order, as the first page found them."""

from __future__ import annotations

import secrets
from collections.abc import Hashable
from time import monotonic

from cachetools import TTLCache
from msgspec import Struct

from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.errors import CursorExpired

KEPT = 600.0
"""Seconds for which a cursor is good."""

ROWS = 100_000
"""Actions in all listings that are kept."""


class KeptListing(Struct, frozen=True):
    """The actions that a listing is of.

    Attributes
    ----------
    key
        What makes it another listing than others: its pages may differ in the rest.
    """

    key: Hashable
    rows: list[ListedAction]


class Cursors:
    """Keeps listings for some time after their last use."""

    def __init__(self) -> None:
        self._kept: TTLCache[str, KeptListing] = TTLCache(ROWS, KEPT, monotonic, _size)

    def resume(self, cursor: str, key: Hashable) -> tuple[KeptListing, str, int]:
        """Give the listing that a cursor stands for, its name, and the offset in it.

        Raises
        ------
        CursorExpired
            If it stands for no offset in the listing of that key, or no longer.
        """
        name, _, offset = cursor.partition(".")
        listing = self._kept.get(name)
        is_place = offset.isascii() and offset.isdigit() and len(offset) < 10
        if listing is None or listing.key != key or not is_place:
            raise CursorExpired("the cursor does not belong to this listing: list from the start")
        return listing, name, int(offset)

    def keep(self, listing: KeptListing, name: str | None, offset: int) -> str | None:
        """Give a cursor for a offset in a listing, None at its end."""
        if offset >= len(listing.rows):
            return None
        name = name or secrets.token_hex(8)
        try:
            self._kept[name] = listing  # anew, so that it is kept for longer
        except ValueError:
            words = f"there are {len(listing.rows)} events: too many to list"
            raise RpcError("OUT_OF_RANGE", words) from None
        return f"{name}.{offset}"


def _size(listing: KeptListing) -> int:
    return max(1, len(listing.rows))
