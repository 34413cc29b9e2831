"""What the contract's tests need of a backend: make events, let time pass, talk to it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from sidecar.events.backend import EventBackend
from sidecar.events.model import Event, EventPage, Payload, Query, Run, Target
from sidecar.events.service import EventService, arrived


class Harness(Protocol):
    """One backend under test."""

    can_create: bool

    def backend(self) -> EventBackend:
        """Give the backend that clients share."""

    async def make(
        self, name: str, expected_type: Any = "bool", *, parent: str, expires_in: float | None
    ) -> Event:
        """Have the run `RUN` ask."""

    def pass_time(self, seconds: float) -> None:
        """Let the backend's clock go on, or back."""

    async def close(self) -> None:
        """Let go of everything."""


RUN = Run(None, "local", "local", "r1")


class Client:
    """A client of the harness's backend, with the shape of the wire's methods."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.service = EventService(harness.backend())

    async def make(
        self,
        name: str,
        expected_type: Any = "bool",
        parent: str = "a0",
        expires_in: float | None = None,
    ) -> Event:
        return await self.harness.make(name, expected_type, parent=parent, expires_in=expires_in)

    async def get(self, name: str | None = None, **more: Any) -> Event | None:
        return await arrived(self.service.get(Target(RUN, name=name, **more)))

    async def signal(
        self, name: str | None, payload: Payload, payload_type: Any = None, **more: Any
    ) -> Event:
        write = self.service.write(Target(RUN, name=name, **more))
        return await self.service.signal(write, payload, payload_type)

    async def abort(self, name: str | None = None, reason: str | None = None, **more: Any) -> Event:
        return await self.service.abort(self.service.write(Target(RUN, name=name, **more)), reason)

    async def wait(self, name: str | None = None, **more: Any) -> Event:
        return await arrived(self.service.wait(Target(RUN, name=name, **more)))

    async def page(self, run: Run = RUN, **more: Any) -> EventPage:
        return await arrived(self.service.page(Query(run=run, **{"details": True, **more})))

    async def listing(self, **more: Any) -> list[Event]:
        """Give all pages of a listing."""
        events: list[Event] = []
        cursor = None
        while True:
            page = await self.page(cursor=cursor, **more)
            events += page.events
            cursor = page.next_cursor
            if cursor is None:
                return events

    async def close(self) -> None:
        await self.harness.close()


async def settle(rounds: int = 5) -> None:
    """Let everything that can run now run."""
    for _ in range(rounds):
        await asyncio.sleep(0)
