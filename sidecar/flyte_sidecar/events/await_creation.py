"""Waiting for events that do not exist yet.

A client may wait for many events of a run before the run creates any of them, so all of its waits
in a run share one watch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from flyte_sidecar._futures import resolve, retrieve_exception
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.backend import EventBackend
from flyte_sidecar.events.model import ANY_SCOPE, BackendName, Event, Run, Target
from flyte_sidecar.events.watch_feed import WatchSelector


class CreationWaits:
    """The waits of one client for events that do not exist yet."""

    def __init__(self, backend: EventBackend) -> None:
        self._backend = backend
        self._runs: dict[Run, _RunWaits] = {}

    async def wait_for_choices(self, target: Target) -> Sequence[Event]:
        """Return the events that match the target, as soon as there are any.

        Empty if the run ends without such an event. Raises what `EventBackend.choices` and
        `EventBackend.watch` raise.
        """
        if target.run.scope == ANY_SCOPE:
            target = replace(target, run=await self._locate(target.run))
        found = await resolve(self._backend.choices(target))
        if found:
            return found
        with self._subscribed(target) as (watching, new_event_ids):
            # A read before subscribing could miss a creation.
            found = await resolve(self._backend.choices(target))
            while not found:
                action = await new_event_ids.get()
                if action is None:
                    watching.result()
                    return await resolve(self._backend.choices(target))
                by_id = Target(target.run, action_name=action)
                found = await resolve(self._backend.choices(by_id))
        return found

    async def _locate(self, run: Run) -> Run:
        """Return a run with its scope, as soon as one of several backends has an event of it.

        Without a scope if the run ends before.
        """
        with self._subscribed(Target(run)) as (watching, new_event_ids):
            waits = self._runs[run]
            if waits.located is None and await new_event_ids.get() is None:
                watching.result()
            return waits.located or run

    @contextmanager
    def _subscribed(self, target: Target) -> Iterator[tuple[asyncio.Future[None], _NewEventIds]]:
        run = target.run
        waits = self._runs.get(run)
        if waits is None or waits.watching.done():
            waits = self._runs[run] = _RunWaits(self._backend, run)
        new_event_ids: _NewEventIds = asyncio.Queue()
        waits.subscribers.setdefault(target, set()).add(new_event_ids)
        try:
            yield waits.watching, new_event_ids
        finally:
            waits.subscribers[target].remove(new_event_ids)
            if not waits.subscribers[target]:
                del waits.subscribers[target]
            if not waits.subscribers:
                waits.watching.cancel()
                if self._runs.get(run) is waits:
                    del self._runs[run]


_NewEventIds = asyncio.Queue[str | None]
"""The ids of new events that match a target; None at the end of the watch."""


class _RunWaits:
    """The feed of a run's watch, which notifies the waits of each event.

    Attributes
    ----------
    located
        The run with its scope, once it has an event.
    """

    full = False
    needs_backend = True

    def __init__(self, backend: EventBackend, run: Run) -> None:
        self.selector = WatchSelector(scope=run.scope, run_name=run.name)
        self.located: Run | None = None
        self._run = run
        self.subscribers: dict[Target, set[_NewEventIds]] = {}
        self.watching = asyncio.ensure_future(backend.watch(self))
        self.watching.add_done_callback(self._end)

    def put(self, event: Event) -> None:
        run, self.located = self._run, event.run
        for target in (
            Target(run),
            Target(run, action_name=event.action_name),
            Target(run, name=event.name),
            Target(run, name=event.name, parent=event.parent),
        ):
            for new_event_ids in self.subscribers.get(target, ()):
                new_event_ids.put_nowait(event.action_name)

    def remove(self, event: Event) -> None:
        """Do nothing: no wait ends when an event is removed."""

    def sync(self, backend: BackendName | None = None) -> None:
        """Do nothing: the waits have read the existing events."""

    def disconnect(self, error: SidecarError, backend: BackendName | None = None) -> None:
        """Do nothing: the watch reconnects by itself."""

    def has_event(self, run: Run, action_name: str) -> bool:
        """Return False: only watches of pending events use this."""
        return False

    async def room(self) -> None:
        await asyncio.sleep(0)  # nothing is queued here: only let other tasks run

    def _end(self, watching: asyncio.Future[None]) -> None:
        retrieve_exception(watching)
        for subscribers in self.subscribers.values():
            for new_event_ids in subscribers:
                new_event_ids.put_nowait(None)
