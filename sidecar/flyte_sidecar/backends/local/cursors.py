"""The cursors of listings: which store and which listing they belong to, and where they go on."""

from __future__ import annotations

import zlib

from flyte_sidecar.errors import CursorExpired


def fingerprint(*parts: object) -> str:
    """Return a short identifier of the listing that these parts define."""
    return f"{zlib.crc32(repr(parts).encode('utf-8', 'surrogatepass')):08x}"


def encode(store_id: str, listing: str, offset: int) -> str:
    """Return the cursor of a listing's next page, which starts after the row `offset`."""
    return f"{store_id}.{listing}.{offset}"


def decode(cursor: str | None, store_id: str, listing: str) -> int:
    """Return the row id after which the cursor's page starts; 0 without a cursor.

    Raises
    ------
    CursorExpired
        If the cursor belongs to another listing or another store.
    """
    if cursor is None:
        return 0
    of_store, _, rest = cursor.partition(".")
    of_listing, _, offset = rest.partition(".")
    belongs = of_store == store_id and of_listing == listing
    if not belongs or not (offset.isascii() and offset.isdigit() and len(offset) < 19):
        raise CursorExpired("the cursor does not belong to this listing: list from the start")
    return int(offset)
