"""The sizes of pages, by the backend and by what the previous page lacked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flyte_sidecar.cli.listings import page_limit
from flyte_sidecar.errors import BackendUnavailable
from flyte_sidecar.events.model import EventPage, UnavailableBackend

LOST = UnavailableBackend(backend="flyte", error=BackendUnavailable("unplugged"))


@pytest.mark.parametrize(
    ("kind", "limits"),
    [("local", [1000, 1000, 1000]), ("flyte", [1, 100, 1000]), ("all", [100, 100, 1000])],
)
def test_only_a_deployment_alone_has_a_small_first_page(kind: str, limits: list[int]) -> None:
    service: Any = SimpleNamespace(backend=SimpleNamespace(kind=kind))
    complete, incomplete = (
        EventPage(events=[], next_cursor="next", unavailable=unavailable)
        for unavailable in ([], [LOST])
    )
    previous = (None, complete, incomplete)
    assert [page_limit(service, page) for page in previous] == limits
