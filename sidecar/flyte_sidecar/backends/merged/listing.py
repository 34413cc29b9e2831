"""Pages that merge the listings of several backends, in one order.

A cursor has a position for each backend, and nothing is kept in memory between the pages. A
position is a cursor of the backend, and the entries after it that were listed already: a page of
the merged listing rarely ends where a page of the backend does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Generic, TypeVar

from msgspec import DecodeError, Struct, ValidationError, json

from flyte_sidecar.backends.merged.patient_reads import PatientReads
from flyte_sidecar.errors import BackendUnavailable, CursorExpired, ShuttingDown, SidecarError
from flyte_sidecar.events.model import BackendName, Event, RunInfo, UnavailableBackend

E = TypeVar("E", bound=Event | RunInfo)

Read = Callable[[str | None, int], Coroutine[Any, Any, tuple[Sequence[E], str | None]]]
"""Reads a page of one backend from a cursor on, with a limit; returns its entries and cursor."""


class Position(Struct, frozen=True, array_like=True):
    """Where a listing continues in one backend.

    Attributes
    ----------
    cursor
        The cursor of a page of the backend; None for its first page.
    listed
        Digests of the entries after the cursor that were listed already.
    ended
        Whether nothing is left.
    """

    cursor: str | None = None
    listed: tuple[str, ...] = ()
    ended: bool = False


START, END = Position(), Position(ended=True)


class MergedPage(Struct, Generic[E], frozen=True):
    """A page of the merged listing, as in `EventPage` and `RunPage`."""

    entries: list[E]
    next_cursor: str | None
    unavailable: list[UnavailableBackend]


class _Cursor(Struct, frozen=True, array_like=True):
    """The positions of a listing by backend, and its name, which tells listings apart."""

    listing: str
    positions: dict[BackendName, Position]


class _Batch(Struct, Generic[E]):
    """The next entries of one backend: those of its page at a position that were not listed.

    Attributes
    ----------
    following
        The position after that page.
    taken
        How many of the entries the merged page has.
    """

    position: Position
    entries: Sequence[E]
    following: Position
    taken: int = 0

    @property
    def is_used_up(self) -> bool:
        return self.taken == len(self.entries)

    def end(self) -> Position:
        """Return the position after the entries that were taken."""
        if self.is_used_up:
            return self.following
        taken = (digest(entry) for entry in self.entries[: self.taken])
        return Position(self.position.cursor, (*self.position.listed, *taken))


async def merge_pages(
    reads: Mapping[BackendName, Read[E]],
    patient_reads: PatientReads,
    *,
    listing: str,
    rank: Callable[[E], float],
    limit: int,
    max_bytes: int,
    cursor: str | None,
) -> MergedPage[E]:
    """Return one page of a merged listing.

    The entries of a backend that cannot be read are missing. Later pages continue with them: its
    position does not change. But a listing ends if nothing is left except backends none of whose
    entries were listed.

    Parameters
    ----------
    reads
        By the names of the backends.
    patient_reads
        What limits the time of each.
    listing
        Name of the listing, which all of its pages have in common.
    rank
        Entries of a lower rank precede others; in a backend's own listing they do already.

    Raises
    ------
    CursorExpired
        If the cursor does not belong to this listing.
    SidecarError
        If no backend could be read: the error of the first.
    """
    positions = dict.fromkeys(reads, START) if cursor is None else _decode(cursor, listing, reads)
    left = [name for name in reads if not positions[name].ended]

    async def read(name: BackendName) -> _Batch[E] | SidecarError:
        """Return the next entries of a backend, or why it cannot be read."""
        position = positions[name]
        key = (listing, position)
        try:
            return await patient_reads.read(
                name, key, partial(_read_batch, reads[name], position, limit)
            )
        except (CursorExpired, ShuttingDown):
            raise
        except SidecarError as error:
            return error
        except TimeoutError:
            return unresponsive(name, patient_reads.timeout)

    results = await asyncio.gather(*map(read, left))
    found = dict(zip(left, results, strict=True))
    batches = {name: read for name, read in found.items() if isinstance(read, _Batch)}
    unavailable = [
        UnavailableBackend(backend=name, error=read)
        for name, read in found.items()
        if isinstance(read, SidecarError)
    ]
    if unavailable and not batches:
        raise unavailable[0].error
    entries = _merge([*batches.values()], rank, limit, max_bytes)
    positions |= {name: batch.end() for name, batch in batches.items()}
    resumable = any(
        position != END and (name in batches or position != START)
        for name, position in positions.items()
    )
    next_cursor = json.encode(_Cursor(listing, positions)).decode() if resumable else None
    return MergedPage(entries, next_cursor, unavailable)


def digest(entry: Event | RunInfo) -> str:
    """Return a short digest of what identifies an entry in its backend's listing."""
    name = entry.action_name if isinstance(entry, Event) else ""
    identity = f"{entry.run_name}\0{name}".encode("utf-8", "surrogatepass")
    return blake2b(identity, digest_size=8).hexdigest()


async def _read_batch(read: Read[E], position: Position, limit: int) -> _Batch[E]:
    while True:
        entries, next_cursor = await read(position.cursor, limit)
        page = {digest(entry): entry for entry in entries}
        listed = frozenset(position.listed)
        new = [entry for key, entry in page.items() if key not in listed]
        later = tuple(key for key in position.listed if key not in page)
        following = END if next_cursor is None else Position(next_cursor, later)
        if new or following == END:
            return _Batch(position, new, following)
        position = following


def _merge(
    batches: Sequence[_Batch[E]], rank: Callable[[E], float], limit: int, max_bytes: int
) -> list[E]:
    """Take the first entries of all batches, up to the end of one that is followed by others."""
    merged: list[E] = []
    size = 0
    while len(merged) < limit:
        if any(batch.is_used_up and batch.following != END for batch in batches):
            break
        waiting = [batch for batch in batches if not batch.is_used_up]
        if not waiting:
            break
        first = min(waiting, key=lambda batch: rank(batch.entries[batch.taken]))
        entry = first.entries[first.taken]
        size += len(json.encode(entry)) + 1
        if merged and size > max_bytes:
            break
        merged.append(entry)
        first.taken += 1
    return merged


def unresponsive(name: BackendName, timeout: float) -> BackendUnavailable:
    """Return the error of a backend that has not responded."""
    what = "the embedded store" if name == "local" else "the Flyte deployment"
    return BackendUnavailable(f"{what} has not responded yet, after {timeout:g} s")


def _decode(
    cursor: str, listing: str, backends: Mapping[BackendName, object]
) -> dict[BackendName, Position]:
    try:
        decoded = json.decode(cursor.encode(), type=_Cursor)
    except (DecodeError, ValidationError, UnicodeEncodeError, RecursionError):
        decoded = None
    if decoded is None or decoded.listing != listing or decoded.positions.keys() != backends.keys():
        raise CursorExpired("the cursor does not belong to this listing: list from the start")
    return decoded.positions
