"""The queue of the prompts, of which one at a time is on the terminal."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import Protocol

from msgspec import Struct

from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.model import Payload
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.local_runs.terminal.other_output import OtherOutput
from flyte_sidecar.local_runs.terminal.question import Question, echoed_rows
from flyte_sidecar.local_runs.terminal.terminal_device import TerminalDevice

POLL_INTERVAL = 0.5
"""Seconds between two checks whether the process is in the foreground."""

STOPPED_AFTER = 5.0
"""Seconds without a check after which the process must have been stopped and continued."""

EXIT_TIMEOUT = 1.0
"""Seconds that the exit of the interpreter waits for the thread."""


class TerminalClosed(Exception):
    """The terminal has no more input: Ctrl-D was typed, or the connection was closed."""


class Prompt(Protocol):
    """A question and its answer."""

    question: Question
    result: Future[Payload]


class _Shown(Struct, eq=False):
    """The prompt on the terminal.

    Attributes
    ----------
    columns
        The width of the terminal when it was shown.
    rows
        The number of rows from the cursor up to the first one that may be cleared.
    last_columns
        The number of columns before the text that is typed.
    intact
        Whether the terminal shows nothing below it but what was typed since.
    """

    prompt: Prompt
    columns: int
    rows: int
    last_columns: int
    intact: bool


class PromptQueue:
    """The prompts that wait, in the order of their creation, and the thread that reads answers.

    Parameters
    ----------
    terminal
        The terminal of the process.
    """

    def __init__(self, terminal: TerminalDevice) -> None:
        self._terminal = terminal
        # Reentrant: a signal handler may print while the lock is held.
        self._lock = threading.RLock()
        self._waiting: dict[Prompt, None] = {}
        self._shown: _Shown | None = None
        self._at_line_start = False
        self._lines: list[str] = []
        self._other_output = OtherOutput(self._on_other_output)
        self.is_closed = False
        self._thread = threading.Thread(target=self._run, name="flyte-sidecar-prompts", daemon=True)
        self._thread.start()

    def add(self, prompt: Prompt) -> None:
        """Queue a prompt."""
        with self._lock:
            if self.is_closed:
                _fail(prompt)
                return
            self._waiting[prompt] = None
            self._terminal.wake()

    def remove(self, prompt: Prompt, line: str | None) -> None:
        """Remove a prompt, and print a line in its place."""
        with self._lock:
            self._waiting.pop(prompt, None)
            if self._shown is not None and self._shown.prompt is prompt:
                self._take_back()
            if line is not None:
                self._lines.append(sanitize(line))
            if self._shown is None:
                self._print_lines()
            self._stop_if_idle()
            self._terminal.wake()
            _fail(prompt)

    def close(self) -> None:
        """End all prompts and the thread, and leave the cursor at the start of a line."""
        with self._lock:
            self._end()
            prompts, self._waiting = self._waiting, {}
            for prompt in prompts:
                _fail(prompt)

    def exit(self) -> None:
        """Do the same when the interpreter exits. No prompt fails: the event loops end too."""
        with self._lock:
            self._waiting.clear()
            self._end()
        self._thread.join(EXIT_TIMEOUT)

    def abandon(self) -> None:
        """Forget all prompts in a forked process, which has no thread and must not read."""
        self._lock = threading.RLock()
        self.is_closed = True
        self._shown, self._waiting, self._lines = None, {}, []
        self._other_output.stop()

    def _run(self) -> None:
        try:
            import rich.cells
            import rich.console
            import rich.text  # noqa: F401  # imported here, since the lock must not be held long

            self._terminal.prepare_thread()
            while not self.is_closed:
                self._step()
        except (EOFError, OSError):
            pass
        finally:
            self.close()

    def _step(self) -> None:
        with self._lock:
            self._update_screen()
            shown = self._shown
            timeout = POLL_INTERVAL if self._waiting else None
        before = time.monotonic()
        has_input = self._terminal.wait(for_input=shown is not None, timeout=timeout)
        if shown is None:
            return
        if time.monotonic() - before > STOPPED_AFTER:
            self._show_again(shown)
        elif has_input and (line := self._terminal.read_line()) is not None:
            self._on_line(line)

    def _update_screen(self) -> None:
        self._terminal.flush()
        is_foreground = self._terminal.is_foreground()
        if not is_foreground:
            self._shown, self._at_line_start = None, False  # the shell has written below it
        elif self._lines and self._shown is not None and not self._terminal.has_input():
            self._take_back()
        if self._shown is None:
            self._print_lines()
            if is_foreground and self._waiting:
                self._show(next(iter(self._waiting)))

    def _show(self, prompt: Prompt) -> None:
        self._other_output.watch()
        self._other_output.poll()
        size = self._terminal.size()
        rendered = prompt.question.render(size, styled=self._terminal.can_clear)
        # The row of the cursor may contain other text, unless the cursor was left at its start.
        rows = rendered.rows if self._at_line_start else rendered.rows - 1
        # Lines that were typed ahead are not echoed below the prompt.
        intact = not self._terminal.has_input()
        self._shown = _Shown(prompt, size.columns, rows, rendered.last_columns, intact)
        self._at_line_start = False
        self._terminal.write(f"\n{rendered.text}")

    def _show_again(self, shown: _Shown) -> None:
        """Show a prompt again, below what the shell has printed while the process was stopped."""
        with self._lock:
            if self._shown is shown:
                self._shown, self._at_line_start = None, False
                self._terminal.discard_input()

    def _on_line(self, line: str) -> None:
        with self._lock:
            shown = self._shown
            if shown is None:
                return  # the prompt was taken back
            if not line.endswith("\n"):  # Ctrl-D ended it
                self._terminal.write("\n")
            try:
                self._reject_further_lines(shown)
                value = shown.prompt.question.parse(line)
            except PayloadTypeMismatch:
                self._ask_again(shown, line)
                return
            self._other_output.poll()
            self._at_line_start = shown.intact
            self._shown = None
            self._waiting.pop(shown.prompt, None)
            self._stop_if_idle()
            shown.prompt.result.set_result(value)

    def _reject_further_lines(self, shown: _Shown) -> None:
        if not shown.prompt.question.takes_lines_typed_ahead and self._terminal.has_input():
            self._terminal.discard_input()
            shown.intact = False
            raise PayloadTypeMismatch("several lines are no answer")

    def _ask_again(self, shown: _Shown, line: str) -> None:
        size = self._terminal.size()
        again = shown.prompt.question.render_again(size, line, styled=self._terminal.can_clear)
        shown.rows += echoed_rows(shown.last_columns, line.rstrip("\n"), shown.columns)
        shown.rows += again.rows
        shown.intact &= shown.columns == size.columns and not self._terminal.has_input()
        self._terminal.write(again.text)

    def _take_back(self) -> None:
        """Clear the prompt and what was typed, or end its line if that is not possible."""
        self._other_output.poll()
        shown, self._shown = self._shown, None
        assert shown is not None
        clear = "\n"
        with suppress(EOFError, OSError):
            if self._terminal.is_foreground():
                typed = self._terminal.discard_input()
                columns = self._terminal.size().columns
                if self._terminal.can_clear and shown.intact and columns == shown.columns:
                    up = shown.rows + echoed_rows(shown.last_columns, typed, columns)
                    clear = f"\r\x1b[{up}A\x1b[J" if up else "\r\x1b[J"
        self._terminal.write(clear)
        self._at_line_start = True

    def _end(self) -> None:
        self.is_closed = True
        if self._shown is not None:
            self._shown = None
            self._terminal.write("\n")
        self._print_lines()
        self._other_output.stop()
        self._terminal.wake()

    def _print_lines(self) -> None:
        if self._lines:
            self._terminal.write("".join(f"{line}\n" for line in self._lines))
            self._lines = []
            self._at_line_start = True

    def _stop_if_idle(self) -> None:
        if not self._waiting:
            self._other_output.stop()
            self._at_line_start = False

    def _on_other_output(self) -> None:
        with self._lock:
            self._at_line_start = False
            if self._shown is not None:
                self._shown.intact = False


def _fail(prompt: Prompt) -> None:
    if not prompt.result.done():
        prompt.result.set_exception(TerminalClosed())
