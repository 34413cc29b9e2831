"""Requests to the editor to read something again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.lsp import refreshes
from flyte_sidecar.lsp.refreshes import Refreshes
from tests.conftest import TEST_TIMEOUT
from tests.rpc.fake_server import run_pending


class Window:
    """An editor that responds to requests when the test says so."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.requests: list[asyncio.Future[None]] = []
        self.background = BackgroundTasks()
        self.refreshes = Refreshes(self.background, self.wait_for_room)

    async def wait_for_room(self) -> None:
        await self.reads.wait()

    async def request(self) -> None:
        self.requests.append(asyncio.get_running_loop().create_future())
        await self.requests[-1]

    async def refresh(self, times: int = 1, subject: str = "lenses") -> None:
        for _ in range(times):
            self.refreshes.send(subject, self.request)
            await run_pending()


@pytest.fixture
async def window() -> AsyncIterator[Window]:
    window = Window()
    yield window
    await window.background.close()


async def test_changes_during_a_request_cause_one_more(window: Window) -> None:
    await window.refresh(5)
    assert len(window.requests) == 1
    window.requests[0].set_result(None)
    await run_pending()
    assert len(window.requests) == 2
    window.requests[1].set_result(None)
    await run_pending()
    assert len(window.requests) == 2
    assert len(window.background) == 0


async def test_subjects_do_not_wait_for_each_other(window: Window) -> None:
    await window.refresh(subject="lenses")
    await window.refresh(subject="document")
    assert len(window.requests) == 2


async def test_nothing_is_sent_while_the_editor_reads_nothing(window: Window) -> None:
    window.reads.clear()
    await window.refresh(100)
    assert window.requests == []
    assert len(window.background) == 1
    window.reads.set()
    await run_pending()
    assert len(window.requests) == 1


async def test_a_request_without_a_response_is_cancelled(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refreshes, "RESPONSE_TIMEOUT", 0)
    await window.refresh(3)
    async with asyncio.timeout(TEST_TIMEOUT):
        while len(window.background):  # noqa: ASYNC110 - a timer ends it
            await asyncio.sleep(0)
    assert window.requests
    assert all(request.cancelled() for request in window.requests)
