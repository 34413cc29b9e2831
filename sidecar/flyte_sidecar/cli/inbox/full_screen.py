"""The full-screen mode: draws the screen and reads keys with prompt_toolkit."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from prompt_toolkit import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.data_structures import Point
from prompt_toolkit.filters import Condition, Filter
from prompt_toolkit.history import DummyHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    HSplit,
    Layout,
    UIContent,
    UIControl,
    Window,
)
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Attrs

from flyte_sidecar._futures import wait_all
from flyte_sidecar.cli.inbox.cells import Line
from flyte_sidecar.cli.inbox.controller import Controller
from flyte_sidecar.cli.inbox.keys import KEYS, Key
from flyte_sidecar.cli.inbox.screen import Screen
from flyte_sidecar.cli.inbox.session import open_session
from flyte_sidecar.server.settings import Options

if "dim" not in Attrs._fields:
    raise ImportError("prompt_toolkit 3.0.52 or later is required")

REFRESH_INTERVAL = 1.0
"""Seconds between two looks at the ages of the events, and at those that have ended."""

MIN_REDRAW_INTERVAL = 0.03
"""Seconds between two redraws, while many events change."""

ESCAPE_TIMEOUT = 0.1
"""Seconds after which an escape character without others counts as the key Esc."""

SEVERAL_KEYS = "Nothing was sent: several keys arrived at once, as from a paste. Press it again."

_LABELS = {"filter": "/", "answer": "Answer: ", "reason": "Reason (optional): "}


async def run_full_screen(options: Options) -> int:
    """Show the inbox until the user quits; return the exit status."""
    inbox = FullScreen()
    async with open_session(options, inbox.controller) as session:
        inbox.controller.session = session
        status = await inbox.run()
        if session.unfinished:
            print("Waiting for the result of what was sent…", file=sys.stderr)
            for result in await session.finish():
                print(result, file=sys.stderr)
        return status


class FullScreen:
    """The application of prompt_toolkit for a controller."""

    def __init__(self) -> None:
        self.controller = Controller(time.monotonic, self._redraw, partial(self._exit, 0))
        self._buffer = Buffer(history=DummyHistory(), multiline=False, on_text_changed=self._typed)
        self._main = _MainControl(Screen(self.controller), self._drawn)
        self._keys_since_drawn = 0
        self._line = BufferControl(
            self._buffer, [BeforeInput(lambda: _LABELS.get(self._purpose, ""))]
        )
        typing = Condition(lambda: self._purpose in _LABELS)
        line = ConditionalContainer(Window(self._line, height=1), typing)
        self._application: Application[int] = Application(
            Layout(HSplit([Window(self._main), line]), focused_element=self._main),
            key_bindings=self._key_bindings(typing),
            full_screen=True,
            include_default_pygments_style=False,
            # The terminal's own colours fit its background, whether that is light or dark.
            color_depth=ColorDepth.from_env() or ColorDepth.DEPTH_4_BIT,
            min_redraw_interval=MIN_REDRAW_INTERVAL,
            enable_page_navigation_bindings=False,
        )
        self._application.key_processor.before_key_press += self._count_key
        self._application.ttimeoutlen = self._application.timeoutlen = ESCAPE_TIMEOUT

    async def run(self) -> int:
        """Show the inbox until the user quits; return the exit status."""
        _discard_typed_ahead()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_exception)
        refreshing = asyncio.ensure_future(self._refresh())
        try:
            with _signals(self._exit, self._continue):
                return await self._application.run_async(set_exception_handler=False)
        except EOFError:  # the terminal is gone
            if sys.platform == "win32":
                return 1
            return 128 + signal.SIGHUP
        finally:
            refreshing.cancel()
            await wait_all([refreshing])

    async def _refresh(self) -> None:
        """Draw the screen again when an age has changed, and write nothing otherwise."""
        while True:
            await asyncio.sleep(REFRESH_INTERVAL)
            self.controller.events.remove_ended()
            if self._main.is_outdated():
                self._redraw()

    @property
    def _purpose(self) -> str:
        return "" if self.controller.input is None else self.controller.input.purpose

    def _redraw(self) -> None:
        self._application.invalidate()

    def _drawn(self) -> None:
        self._keys_since_drawn = 0
        self.controller.drawn()

    def _count_key(self, processor: object) -> None:
        self._keys_since_drawn += 1

    def _answer(self, action: Callable[[], object]) -> None:
        """Perform an action that cannot be undone, if its key was pressed alone.

        It may be a part of a pasted text, in a terminal without bracketed paste, or of a key that
        sends several characters, such as Alt-y.
        """
        if self._keys_since_drawn > 1 or self._application.key_processor.input_queue:
            self.controller.message = SEVERAL_KEYS
        else:
            action()

    def _draw_all(self) -> None:
        """Draw each line again, whatever is on the screen."""
        output = self._application.output
        output.enter_alternate_screen()  # Renderer.clear would erase the screen of the shell
        output.erase_screen()
        output.cursor_goto(0, 0)
        self._application.renderer.reset(leave_alternate_screen=False)
        self._redraw()

    def _continue(self) -> None:
        """Use the terminal again after the process was stopped, and a shell has used it."""
        self._application.input.raw_mode().__enter__()  # `run_async` restores the first mode
        self._draw_all()

    def _exit(self, status: int) -> None:
        if self._application.is_running and not self._application.is_done:
            self._application.exit(result=status)

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """End after an exception of a callback: the screen may not be drawn any more."""
        error = context.get("exception")
        if "handle" in context and self._application.is_running and not self._application.is_done:
            self._application.exit(exception=error or RuntimeError(context["message"]))
        else:
            loop.default_exception_handler(context)

    def _typed(self, buffer: Buffer) -> None:
        self.controller.typed(buffer.text)

    def _focus(self) -> None:
        """Focus the input line if the user is asked for a text, else the list."""
        layout = self._application.layout
        if self._purpose in ("", "confirm"):
            layout.focus(self._main)
        elif not layout.has_focus(self._line):
            text = self.controller.filter_text if self._purpose == "filter" else ""
            self._buffer.text = text
            self._buffer.cursor_position = len(text)
            layout.focus(self._line)

    def _key_bindings(self, typing: Filter) -> KeyBindings:
        bindings = KeyBindings()
        controller = self.controller

        def bind(keys: tuple[str, ...], condition: Filter, action: Callable[[], object]) -> None:
            def handle(event: KeyPressEvent) -> None:
                action()
                self._focus()

            for key in keys:
                bindings.add(key, filter=condition, eager=True)(handle)

        def is_on(key: Key) -> Condition:
            return Condition(lambda: not self._purpose and controller.page in key.pages)

        for key in KEYS:
            action = partial(controller.do, key.action)
            answers = key.action in ("yes", "no")
            bind(key.keys, is_on(key), partial(self._answer, action) if answers else action)
        bind(("enter",), typing, lambda: controller.submit(self._buffer.text))
        confirming = Condition(lambda: self._purpose == "confirm")
        bind(("escape", "c-g"), typing | confirming, controller.cancel)
        bind(("y",), confirming, partial(self._answer, controller.confirm))
        bind(("n", "q", "enter"), confirming, controller.cancel)
        always = Condition(lambda: True)
        bind(("c-c", "<sigint>"), always, partial(self._exit, 0))
        bind(("c-l",), always, self._draw_all)
        bind(("c-z",), always, lambda: self._application.suspend_to_background())
        bindings.add(Keys.BracketedPaste, filter=typing, eager=True)(_paste)
        return bindings


class _MainControl(UIControl):
    """Everything except the input line."""

    def __init__(self, screen: Screen, on_drawn: Callable[[], None]) -> None:
        self._screen = screen
        self._on_drawn = on_drawn
        self._size = 0, 0
        self._lines: list[Line] = []

    def is_focusable(self) -> bool:
        return True

    def is_outdated(self) -> bool:
        """Return whether the screen would be drawn differently now."""
        return self._screen.draw(*self._size) != self._lines

    def create_content(self, width: int, height: int) -> UIContent:
        self._size = width, height
        lines = self._lines = self._screen.draw(width, height)
        self._on_drawn()
        # Screen readers of terminals follow the cursor.
        cursor = Point(0, min(self._screen.cursor, len(lines) - 1))
        return UIContent(lambda number: [*lines[number]], len(lines), cursor)


def _paste(event: KeyPressEvent) -> None:
    """Insert a text on one line. Outside the input line, a paste has no effect."""
    event.current_buffer.insert_text(" ".join(event.data.splitlines()))


def _discard_typed_ahead() -> None:
    """Discard what was typed before anything was shown: it may be an answer."""
    if sys.platform != "win32":
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)


@contextmanager
def _signals(
    exit_inbox: Callable[[int], None], continue_inbox: Callable[[], None]
) -> Iterator[None]:
    """Let signals that end the process restore the terminal first, and SIGCONT use it again."""
    if sys.platform == "win32":
        yield
        return
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    for number in numbers:
        loop.add_signal_handler(number, exit_inbox, 128 + number)
    loop.add_signal_handler(signal.SIGCONT, continue_inbox)
    try:
        yield
    finally:
        for number in (*numbers, signal.SIGCONT):
            loop.remove_signal_handler(number)
