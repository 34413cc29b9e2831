"""Reports that entries of a listing are missing, because a backend cannot be read."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from flyte_sidecar.events.model import BACKEND_TITLES, UnavailableBackend
from flyte_sidecar.events.plain_text import sanitize


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
