"""Two stores, one of them in the place of a deployment, which tests make unavailable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flyte_sidecar.backends.local import LocalBackend, listings
from flyte_sidecar.backends.local.reader import StoreReader
from flyte_sidecar.backends.merged import MergedBackend
from flyte_sidecar.backends.merged.timing import MergeTiming
from flyte_sidecar.errors import BackendUnavailable, SidecarError
from flyte_sidecar.events.model import (
    Event,
    EventPage,
    PendingQuery,
    Query,
    Run,
    RunPage,
    RunsQuery,
    Scope,
    Target,
    TaskName,
)
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.watch_feed import WatchFeed
from tests.backends.flyte.scenarios import until
from tests.contract.harness import BackendClient

HERE = Scope(None, "local", "local")
THERE = Scope("o", "p", "d")
DOWN = BackendUnavailable("unplugged")

FAST = MergeTiming(response_timeout=0.5, retry_delay=0.01, max_retry_delay=0.02)
PATIENT = MergeTiming(response_timeout=3600.0, retry_delay=0.01, max_retry_delay=0.02)


class Switchable(LocalBackend):
    """A store that can be made unavailable.

    Attributes
    ----------
    error
        What every call raises now; watches that are open end with it.
    hangs
        Whether no call returns.
    reconnects
        Whether a watch reports the error and goes on by itself, as that of a deployment does.
    opened, checks, finds
        The numbers of watches that were opened, and of calls of `healthy` and `find`.
    """

    def __init__(self, path: Path, kind: str = "local", scope: Scope = HERE) -> None:
        super().__init__(path)
        self.kind = kind
        self.org, self.project, self.domain = scope.org, scope.project, scope.domain
        self.error: SidecarError | None = None
        self.hangs = False
        self.reconnects = False
        self.opened = self.checks = self.finds = 0
        self._changed = asyncio.Event()

    def switch(self, error: SidecarError | None, *, hangs: bool = False) -> None:
        self.error, self.hangs = error, hangs
        self._changed.set()

    async def has_run(self, run: Run) -> bool:  # type: ignore[override]
        await self._check()
        return await self._read_with_retries(StoreReader.has_run, run)

    async def find(self, target: Target) -> Event | None:  # type: ignore[override]  # only async
        self.finds += 1
        await self._check()
        return await self._read_with_retries(StoreReader.find, target)

    async def choices(self, target: Target) -> list[Event]:  # type: ignore[override]
        await self._check()
        return [*await self._read_with_retries(StoreReader.choices, target)]

    async def page(self, query: Query) -> EventPage:  # type: ignore[override]
        await self._check()
        return await self._read_with_retries(listings.page, query)

    async def pending(self, query: PendingQuery) -> EventPage:  # type: ignore[override]
        await self._check()
        return await self._read_with_retries(listings.pending, query)

    async def runs(self, query: RunsQuery) -> RunPage:  # type: ignore[override]
        await self._check()
        return await self._read_with_retries(listings.runs, query)

    async def healthy(self) -> bool:
        self.checks += 1
        return self.error is None and not self.hangs

    async def watch(self, watch: WatchFeed) -> None:
        self.opened += 1
        while True:
            await self._check_watch(watch)
            self._changed.clear()
            watching = asyncio.ensure_future(super().watch(watch))
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({watching, changed}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    return watching.result()
            finally:
                watching.cancel()
                changed.cancel()
                await asyncio.wait({watching, changed})

    async def _check(self) -> None:
        while self.hangs:
            self._changed.clear()
            await self._changed.wait()
        if self.error is not None:
            raise self.error

    async def _check_watch(self, watch: WatchFeed) -> None:
        while self.reconnects and self.error is not None:
            watch.disconnect(self.error)
            self._changed.clear()
            await self._changed.wait()
        await self._check()


class MergedHarness:
    """Both backends, and the merged one: a `Harness`."""

    can_create = True

    def __init__(self, folder: Path, timing: MergeTiming) -> None:
        self.local = Switchable(folder / "local.db")
        self.flyte = Switchable(folder / "flyte.db", "flyte", THERE)
        self.merged = MergedBackend(self.local, self.flyte, timing)

    def backend(self) -> MergedBackend:
        return self.merged

    def choose_id(self, action: str) -> None:
        raise NotImplementedError

    def start_task(self, run: Run, name: TaskName) -> str | None:
        return None

    def pass_time(self, seconds: float) -> None:
        raise NotImplementedError

    async def watched(self, count: int) -> None:
        """Wait until so many watches were opened in both backends."""
        await until(lambda: self.local.opened + self.flyte.opened >= count)

    async def close(self) -> None:
        await self.merged.close()


@pytest.fixture
def timing() -> MergeTiming:
    """The timeouts; no backend is too slow, unless a test replaces this."""
    return PATIENT


@pytest.fixture
async def both(tmp_path: Path, timing: MergeTiming) -> AsyncIterator[MergedHarness]:
    harness = MergedHarness(tmp_path, timing)
    yield harness
    await harness.close()


@pytest.fixture
async def client(both: MergedHarness) -> AsyncIterator[BackendClient]:
    client = BackendClient(both)
    yield client
    await client.close()


@pytest.fixture
def service(client: BackendClient) -> EventService:
    return client.service
