"""The pages of listings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from flyte_sidecar._futures import resolve
from flyte_sidecar.cli.page_limits import page_limit
from flyte_sidecar.events.model import EventPage, Query, RunPage, RunsQuery
from flyte_sidecar.events.service import EventService


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
    scope, cursor = service.scope(None, None, None), None
    while True:
        query = RunsQuery(scope=scope, pending_only=pending_only, cursor=cursor)
        page = await resolve(service.runs(query))
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
