"""Both backends with a real `FlyteBackend`, whose deployment rejects or fails calls."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.backends.merged import MergedBackend
from flyte_sidecar.errors import BackendUnavailable, PermissionDenied, SidecarError, Unauthenticated
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import ANY_SCOPE, Run
from tests.backends.merged.conftest import PATIENT
from tests.backends.merged.test_watching import BothPicture, seen, watching
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import RUN, BackendClient

STORE_RUN = Run(None, "store", "store", "r")


class Both(FlyteHarness):
    """A deployment, and a store whose project differs from that of the deployment."""

    def __init__(self, folder: Path) -> None:
        super().__init__("2.0.43")
        store = LocalBackend(folder / "events.db")
        store.project = store.domain = "store"
        self._store = store

    def backend(self) -> EventBackend:
        return MergedBackend(self._store, super().backend(), PATIENT)

    async def close(self) -> None:
        await self._store.close()
        await super().close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, BackendUnavailable),
        (grpc.StatusCode.UNAUTHENTICATED, Unauthenticated),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
    ],
)
@pytest.mark.parametrize("early", [True, False], ids=["before sync", "after sync"])
async def test_a_deployment_that_fails_is_reported_until_it_works_again(
    tmp_path: Path, status: grpc.StatusCode, error: type[SidecarError], early: bool
) -> None:
    with Both(tmp_path) as both:
        client, faults = BackendClient(both), both.server.faults
        await client.ask(STORE_RUN, "local")
        await client.ask(RUN, "flyte")
        calls = ("ListRuns", "ListActions", "WatchActions", "GetActionDetails")
        failing = dict.fromkeys(calls, (status, "no"))
        if early:
            faults.errors.update(failing)
        watch = watching(client)
        await watch.synced()
        if not early:
            faults.errors.update(failing)
        await watch.until(lambda _: "lost flyte" in order(watch))
        picture = watch.picture
        assert isinstance(picture, BothPicture)
        assert [type(each) for each in picture.down.values()] == [error]
        page = await client.pending_page(ANY_SCOPE)
        assert [event.name for event in page.events] == ["local"]
        assert [type(each.error) for each in page.unavailable] == [error]
        faults.errors.clear()
        await seen(watch, "found flyte")
        assert picture.pending() == {"local", "flyte"}
        assert len((await client.pending_page(ANY_SCOPE)).events) == 2
        await client.close()


def order(watch: object) -> list[str]:
    picture = watch.picture  # type: ignore[attr-defined]
    assert isinstance(picture, BothPicture)
    return picture.order()
