"""The feed of one run's events into an inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeAlias

from flyte_sidecar.backends.flyte.rpc.run_service import pause
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import Event


class Whole(Protocol):
    """What a part belongs to."""

    def put(self, event: Event) -> None:
        """Report the state of an event."""

    def remove(self, event: Event) -> None:
        """Report that an event is gone."""

    def sync(self, part: Part) -> None:
        """Report that everything known of the part's run was put."""

    def disconnect(self, part: Part, error: SidecarError) -> None:
        """Report that the part's run cannot be followed for now."""

    def survives(self, part: Part, error: Exception) -> bool:
        """Return whether to go on after a part has failed; if not, the error ends the whole."""

    def stir(self) -> None:
        """Report that something has changed in the part's run."""


Source: TypeAlias = "Callable[[Part], Coroutine[Any, Any, None]]"


class Part:
    """A feed that starts again when it has failed.

    Attributes
    ----------
    pending
        The pending events that were put.
    synced
        Whether everything known was put.
    over
        Whether nothing more can change in the run.
    """

    def __init__(self, whole: Whole, source: Source) -> None:
        self.pending: set[str] = set()
        self.synced = False
        self.over = False
        self._whole = whole
        self._source = source
        self._failures = 0
        self._stopped = False
        self._task = asyncio.ensure_future(self._feed())

    def stop(self) -> None:
        """Feed nothing more: nobody would report the end of what is put from now on."""
        self._stopped = True
        self._task.cancel()

    def put(self, event: Event) -> None:
        if self._stopped:
            return
        if event.pending != (event.action_name in self.pending):
            (self.pending.add if event.pending else self.pending.discard)(event.action_name)
            self._whole.stir()
        self._whole.put(event)

    def remove(self, event: Event) -> None:
        if not self._stopped:
            self.pending.discard(event.action_name)
            self._whole.remove(event)

    def sync(self) -> None:
        if not self._stopped:
            self.synced = True
            self._failures = 0
            self._whole.sync(self)

    def disconnect(self, error: SidecarError) -> None:
        if not self.synced:
            raise error
        if not self._stopped:
            self.synced = False
            self._whole.disconnect(self, error)

    async def _feed(self) -> None:
        while not self.over:
            try:
                await self._source(self)
                self.over = True
                self._whole.stir()
            except Exception as error:
                self.synced = False
                if not self._whole.survives(self, error):
                    return
                self._failures += 1
                await asyncio.sleep(pause(self._failures))
