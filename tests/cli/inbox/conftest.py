"""Inboxes on the embedded store: in this process, and in terminals."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.cli.inbox.controller import Controller
from flyte_sidecar.cli.inbox.screen import Screen
from flyte_sidecar.cli.inbox.session import open_session
from flyte_sidecar.events.intern_pool import event_key
from flyte_sidecar.events.model import Event
from flyte_sidecar.server.settings import Options
from tests.cli.verbs import Environment
from tests.conftest import TEST_TIMEOUT
from tests.contract.harness import BackendClient
from tests.contract.local import LocalHarness
from tests.terminal import Terminal

if sys.platform != "win32":
    import pty
    import termios

ALTERNATE_SCREEN = 1049 << 5
"""The mode, as pyte numbers it."""


class Inbox:
    """A controller and its screen, on a session with the store."""

    def __init__(self) -> None:
        self.now = 0.0
        self.quits = 0
        self._changed = asyncio.Event()
        self.controller = Controller(lambda: self.now, self._changed.set, self._quit)
        self.screen = Screen(self.controller)

    def _quit(self) -> None:
        self.quits += 1

    def draw(self, width: int = 80, height: int = 24) -> list[str]:
        """Return the text of the screen's lines, as the user sees it from now on."""
        lines = self.screen.draw(width, height)
        assert len(lines) == height
        self.controller.drawn()
        return ["".join(text for _, text in line).rstrip() for line in lines]

    @property
    def text(self) -> str:
        return "\n".join(self.draw())

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition that holds after a change."""
        async with asyncio.timeout(TEST_TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def lists(self, *events: Event) -> None:
        """Wait until the events are listed."""
        get = self.controller.events.get
        await self.until(lambda: all(get(event_key(event)) is not None for event in events))

    async def ended(self, event: Event) -> str:
        """Wait until the event has ended, and return how."""
        row = self.controller.events.get(event_key(event))
        assert row is not None
        await self.until(lambda: row.ended is not None)
        return str(row.ended)


@pytest.fixture
async def inbox(store: Path) -> AsyncIterator[Inbox]:
    inbox = Inbox()
    async with open_session(Options(store=str(store)), inbox.controller) as session:
        inbox.controller.session = session
        await inbox.until(lambda: session.live.state.phase == "ready")
        yield inbox
        await session.finish()


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BackendClient]:
    """Another user of the store."""
    client = BackendClient(LocalHarness(tmp_path, monkeypatch))
    yield client
    await client.close()


class InboxTerminal(Terminal):
    """A terminal in which an inbox runs."""

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def status(self) -> int:
        """Wait for the end, and return the exit status."""
        return self._popen.wait(TEST_TIMEOUT)

    def has_left(self) -> bool:
        """Return whether the screen and the cursor of the shell are shown."""
        with self._changed:
            return not self._screen.cursor.hidden and ALTERNATE_SCREEN not in self._screen.mode

    def is_restored(self) -> bool:
        """Return whether the terminal is as it was before the inbox."""
        with self._changed:
            left = self._changed.wait_for(self.has_left, TEST_TIMEOUT)
        ends = pty.openpty()
        modes = termios.tcgetattr(ends[1])
        for end in ends:
            os.close(end)
        return left and termios.tcgetattr(self._slave) == modes


Start = Callable[..., InboxTerminal]


@pytest.fixture
def start(env: Environment, tmp_path: Path) -> Iterator[Start]:
    """Start an inbox in a terminal; it ends with the test."""
    started: list[InboxTerminal] = []

    def start(
        *arguments: str, shell: str = "", also: Environment | None = None, **options: Any
    ) -> InboxTerminal:
        command = shlex.split(shell) if shell else ["flyte-sidecar", "inbox", *arguments]
        started.append(InboxTerminal(command, {**env, **(also or {})}, tmp_path, **options))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()
