"""Writes that a test holds while they are in progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from flyte_sidecar.events.model import Event
from tests.contract.harness import BackendClient


class Held:
    """Holds a backend's signals until they are released: before they are sent, or their results."""

    def __init__(
        self, client: BackendClient, monkeypatch: pytest.MonkeyPatch, *, results: bool = False
    ) -> None:
        backend = client.harness.backend()
        signal = backend.signal
        self.go = asyncio.Event()
        self.begun = 0

        async def hold() -> None:
            self.begun += 1
            await self.go.wait()

        async def slow(event: Event, payload: Any) -> Event:
            if not results:
                await hold()
            signalled: Event = await signal(event, payload)
            if results:
                await hold()
            return signalled

        monkeypatch.setattr(backend, "signal", slow)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what it waits for is no event
        await asyncio.sleep(0)
