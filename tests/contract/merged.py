"""Both backends under test: each of them as the one that has the events.

The requests of the tests have the scope of `RUN`. Here they lose it, so that each is routed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from flyte_sidecar._futures import MaybeAwaitable
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.backends.merged import MergedBackend
from flyte_sidecar.backends.merged.timing import MergeTiming
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import (
    ANY_SCOPE,
    BackendName,
    Event,
    EventPage,
    PendingQuery,
    Query,
    Run,
    RunPage,
    RunsQuery,
    Scope,
    Target,
)
from flyte_sidecar.events.watch_feed import WatchFeed
from tests.contract.flyte import FlyteHarness
from tests.contract.harness import SCOPE
from tests.contract.local import LocalHarness

PATIENT = MergeTiming(response_timeout=3600.0)
"""On a loaded machine, no backend counts as unresponsive."""


class WithoutScope(MergedBackend):
    """Merges two backends, for requests that lose the scope of `RUN`."""

    def find(self, target: Target) -> MaybeAwaitable[Event | None]:
        return super().find(replace(target, run=_run(target.run)))

    def choices(self, target: Target) -> MaybeAwaitable[Sequence[Event]]:
        return super().choices(replace(target, run=_run(target.run)))

    def page(self, query: Query) -> MaybeAwaitable[EventPage]:
        return super().page(replace(query, run=_run(query.run)))

    def pending(self, query: PendingQuery) -> MaybeAwaitable[EventPage]:
        return super().pending(replace(query, scope=_scope(query.scope)))

    def runs(self, query: RunsQuery) -> MaybeAwaitable[RunPage]:
        return super().runs(replace(query, scope=_scope(query.scope)))

    async def watch(self, watch: WatchFeed) -> None:
        await super().watch(_Feed(watch))  # type: ignore[arg-type]


class _Feed:
    """The feed of a watch whose request has no scope."""

    def __init__(self, feed: WatchFeed) -> None:
        self.selector = replace(feed.selector, scope=_scope(feed.selector.scope))
        self._feed = feed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)


def _scope(scope: Scope) -> Scope:
    return ANY_SCOPE if scope == SCOPE else scope


def _run(run: Run) -> Run:
    return _scope(run.scope).run(run.name)


class _Empty(LocalBackend):
    """A backend without events, in the place of the other one."""

    project = domain = "empty"

    def __init__(self, path: Path, kind: BackendName) -> None:
        super().__init__(path)
        self.kind = kind


class AllOnLocalHarness(LocalHarness):
    """Both backends; the embedded store has the events."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, monkeypatch)
        other = _Empty(folder / "other.db", "flyte")
        self._merged = WithoutScope(super().backend(), other, PATIENT)

    def backend(self) -> EventBackend:
        return self._merged

    async def close(self) -> None:
        await self._merged.close()


class AllOnFlyteHarness(FlyteHarness):
    """Both backends; the deployment has the events."""

    def __init__(self, release: str, folder: Path) -> None:
        super().__init__(release)
        self._folder = folder

    def __enter__(self) -> AllOnFlyteHarness:
        super().__enter__()
        other = _Empty(self._folder / "other.db", "local")
        self._merged = WithoutScope(other, super().backend(), PATIENT)
        return self

    def backend(self) -> EventBackend:
        return self._merged

    async def close(self) -> None:
        await self._merged.close()
