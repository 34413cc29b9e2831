"""How many events the pages of a listing have, so that the first event is known early."""

from __future__ import annotations

from flyte_sidecar.events.model import DEFAULT_PAGE_LIMIT, MAX_PAGE_LIMIT, EventPage
from flyte_sidecar.events.service import EventService


def page_limit(service: EventService, previous: EventPage | None) -> int:
    """Return the limit of the next page.

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
