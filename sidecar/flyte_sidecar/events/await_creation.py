"""Waiting for events that do not exist yet.

A client may wait for many events of a run before the run creates any of them, so all of its waits
in a run share one watch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flyte_sidecar._futures import resolve, retrieve_exception
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import Event, Run, Scope, Target
from flyte_sidecar.events.watch_feed import WatchSelector


class Creations:
    """The waits of one client for events that do not exist yet."""

    def __init__(self, backend: EventBackend) -> None:
        self._backend = backend
        self._runs: dict[Run, _RunCreations] = {}

    async def choices(self, target: Target) -> Sequence[Event]:
        """Return the events that match the target, as soon as there are any.

        Empty if the run ends without such an event. Raises what `EventBackend.choices` and
        `EventBackend.watch` raise.
        """
        found = await resolve(self._backend.choices(target))
        if found:
            return found
        with self._subscribed(target) as (watching, created):
            # A read before subscribing could miss a creation.
            found = await resolve(self._backend.choices(target))
            while not found:
                action = await created.get()
                if action is None:
                    watching.result()
                    return await resolve(self._backend.choices(target))
                by_id = Target(target.run, action_name=action)
                found = await resolve(self._backend.choices(by_id))
        return found

    @contextmanager
    def _subscribed(self, target: Target) -> Iterator[tuple[asyncio.Future[None], _Created]]:
        run = target.run
        creations = self._runs.get(run)
        if creations is None or creations.watching.done():
            creations = self._runs[run] = _RunCreations(self._backend, run)
        created: _Created = asyncio.Queue()
        creations.subscribers.setdefault(target, set()).add(created)
        try:
            yield creations.watching, created
        finally:
            creations.subscribers[target].remove(created)
            if not creations.subscribers[target]:
                del creations.subscribers[target]
            if not creations.subscribers:
                creations.watching.cancel()
                if self._runs.get(run) is creations:
                    del self._runs[run]


_Created = asyncio.Queue[str | None]
"""The ids of new events that match a target; None at the end of the watch."""


class _RunCreations:
    """The feed of a run's watch: notifies the subscribers of each event."""

    full = False

    def __init__(self, backend: EventBackend, run: Run) -> None:
        scope = Scope(run.org, run.project, run.domain)
        self.selector = WatchSelector(scope=scope, run_name=run.name)
        self.subscribers: dict[Target, set[_Created]] = {}
        self.watching = asyncio.ensure_future(backend.watch(self))
        self.watching.add_done_callback(self._end)

    def put(self, event: Event) -> None:
        run = event.run
        for target in (
            Target(run, action_name=event.action_name),
            Target(run, name=event.name),
            Target(run, name=event.name, parent=event.parent),
        ):
            for created in self.subscribers.get(target, ()):
                created.put_nowait(event.action_name)

    def remove(self, event: Event) -> None:
        """Nobody waits for an event to disappear."""

    def sync(self) -> None:
        """Nobody waits for what already exists."""

    def disconnect(self, error: SidecarError) -> None:
        """Do nothing: the watch reconnects by itself."""

    def has_event(self, run: Run, action_name: str) -> bool:
        """Only watches of pending events are asked."""
        return False

    async def room(self) -> None:
        await asyncio.sleep(0)  # nothing is queued here: only let other tasks run

    def _end(self, watching: asyncio.Future[None]) -> None:
        retrieve_exception(watching)
        for subscribers in self.subscribers.values():
            for created in subscribers:
                created.put_nowait(None)
