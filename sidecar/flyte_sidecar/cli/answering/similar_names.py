"""Suggests the event or the run that a person may have meant.

It reads at most one page of events and one of runs, after nothing was found.
"""

from __future__ import annotations

from flyte_sidecar._futures import resolve
from flyte_sidecar._suggestions import closest, suggestion
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import MAX_PAGE_LIMIT, Query, RunsQuery
from flyte_sidecar.events.service import EventService


async def did_you_mean(service: EventService, run: str, name: str | None = None) -> str:
    """Return `; did you mean ...?`, with an event of the run, or with a run if it has none.

    The text is empty if no name is similar, or if names cannot be read.
    """
    try:
        events = await resolve(service.page(Query(run=service.run(run), limit=MAX_PAGE_LIMIT)))
        if events.events:
            names = (event.name for event in events.events if event.name != name)
            return "" if name is None else suggestion(name, names)
        scope = service.scope(None, None, None)
        runs = await resolve(service.runs(RunsQuery(scope=scope, limit=MAX_PAGE_LIMIT)))
    except SidecarError:
        return ""
    found = closest(run, (info.run_name for info in runs.runs if info.run_name != run))
    return "" if found is None else f"; did you mean run {found!r}?"
