"""The pages of listings, and what is missing from them."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Sequence

from msgspec.structs import replace

from flyte_sidecar._futures import resolve
from flyte_sidecar.events.model import (
    BACKEND_TITLES,
    DEFAULT_PAGE_LIMIT,
    MAX_PAGE_LIMIT,
    EventPage,
    PendingQuery,
    Query,
    RunPage,
    RunsQuery,
    UnavailableBackend,
)
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.events.service import EventService


async def pages_of_pending(service: EventService) -> AsyncIterator[EventPage]:
    """Yield the pending events of all runs of the default scope, page by page."""
    scope = service.scope(None, None, None)
    query = PendingQuery(scope=scope, limit=page_limit(service, None))
    while True:
        page = await resolve(service.pending(query))
        yield page
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor, limit=page_limit(service, page))


async def pages_of_run(
    service: EventService, run: str, phases: Sequence[str] | None = None
) -> AsyncIterator[EventPage]:
    """Yield the events of a run with all their members, page by page."""
    query = Query(
        run=service.run(run), phases=phases, details=True, limit=page_limit(service, None)
    )
    while True:
        page = await resolve(service.page(query))
        yield page
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor, limit=page_limit(service, page))


async def pages_of_runs(service: EventService, *, pending_only: bool) -> AsyncIterator[RunPage]:
    """Yield the runs of the default scope, page by page."""
    query = RunsQuery(scope=service.scope(None, None, None), pending_only=pending_only)
    while True:
        page = await resolve(service.runs(query))
        yield page
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor)


def page_limit(service: EventService, previous: EventPage | None) -> int:
    """Return how many events the next page has, so that the first event is known early.

    The embedded store returns a large page at once. A deployment is asked for each event, for some
    of them at a time: first for one alone, unless its events are merged with others. Those of a
    page that are not the next ones would have to be read again.

    Parameters
    ----------
    previous
        The page before; None for the first page.
    """
    kind = service.backend.kind
    if kind == "local" or (previous is not None and previous.unavailable):
        return MAX_PAGE_LIMIT  # each page waits for a backend that does not respond
    return 1 if kind == "flyte" and previous is None else DEFAULT_PAGE_LIMIT


def report_missing(
    entries: str, unavailable: Iterable[UnavailableBackend], *, so_far: bool = False
) -> None:
    """Print to stderr of which backends entries are missing, and why.

    Parameters
    ----------
    entries
        What is listed: `events` or `runs`.
    so_far
        Whether they may still come.
    """
    for each in unavailable:
        title, error = BACKEND_TITLES[each.backend], each.error
        what = f"the {entries} of {title} are missing{' so far' if so_far else ''}"
        print(sanitize(f"flyte-sidecar: {what}: {error.kind}: {error.message}"), file=sys.stderr)
