"""The queue of the prompts, of which one at a time is on the terminal."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Protocol

from msgspec import Struct

from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.model import Payload
from flyte_sidecar.events.payload_text import parse_payload
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.local_runs.other_output import OtherOutput
from flyte_sidecar.local_runs.question import Question, Size, render, render_again, rows_below
from flyte_sidecar.local_runs.tty import Tty

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
    rows
        The number of rows from the cursor up to the first one that may be cleared.
    last_columns
        The number of columns before the text that is typed.
    intact
        Whether nothing else was printed since.
    """

    prompt: Prompt
    size: Size
    rows: int
    last_columns: int
    intact: bool = True


class PromptQueue:
    """The prompts that wait, in the order of their creation, and the thread that reads answers.

    Parameters
    ----------
    tty
        The terminal.
    """

    def __init__(self, tty: Tty) -> None:
        self._tty = tty
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
            if not self.is_closed:
                self._waiting[prompt] = None
                self._tty.wake()
                return
        _fail(prompt)

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
            self._tty.wake()
        _fail(prompt)

    def close(self) -> None:
        """End all prompts and the thread, and leave the cursor at the start of a line."""
        with self._lock:
            self.is_closed = True
            self._leave()
            self._print_lines()
            self._other_output.stop()
            prompts, self._waiting = self._waiting, {}
            self._tty.wake()
        for prompt in prompts:
            _fail(prompt)

    def join(self) -> None:
        """Wait for the end of the thread after `close`."""
        self._thread.join(EXIT_TIMEOUT)

    def abandon(self) -> None:
        """Forget all prompts in a forked process, which has no thread and must not read."""
        self._lock = threading.RLock()
        self.is_closed = True
        self._shown, self._waiting, self._lines = None, {}, []
        self._other_output.stop()

    def _run(self) -> None:
        import rich.cells
        import rich.console
        import rich.text  # noqa: F401  # before the lock is held

        self._tty.prepare_thread()
        try:
            while not self.is_closed:
                self._step()
        except (EOFError, OSError):
            self.close()

    def _step(self) -> None:
        with self._lock:
            self._update_screen()
            shown = self._shown
            timeout = POLL_INTERVAL if self._waiting else None
        before = time.monotonic()
        has_input = self._tty.wait(for_input=shown is not None, timeout=timeout)
        if shown is not None and time.monotonic() - before > STOPPED_AFTER:
            self._show_again(shown)
        elif shown is not None and has_input:
            line = self._tty.read_line()
            if line is not None:
                self._on_line(shown.prompt, line)

    def _update_screen(self) -> None:
        self._tty.flush()
        if not self._tty.is_foreground():
            self._shown = None
            self._print_lines()
            return
        if self._lines and not (self._shown is not None and self._tty.has_input()):
            if self._shown is not None:
                self._take_back()
            self._print_lines()
        if self._shown is None:
            for prompt in self._waiting:
                self._show(prompt)
                break
            else:
                self._other_output.stop()
                self._at_line_start = False

    def _show(self, prompt: Prompt) -> None:
        self._other_output.watch()
        size = self._tty.size()
        rendered = render(prompt.question, size)
        # The row of the cursor may contain other text, unless the cursor was left at its start.
        rows = rendered.rows if self._at_line_start else rendered.rows - 1
        self._shown = _Shown(prompt, size, rows, rendered.last_columns)
        self._at_line_start = False
        self._tty.write(f"\n{rendered.text}")

    def _show_again(self, shown: _Shown) -> None:
        """Show a prompt again, below what the shell has printed since."""
        with self._lock:
            if self._shown is shown:
                self._shown = None
                self._tty.discard_input()

    def _on_line(self, prompt: Prompt, line: str) -> None:
        with self._lock:
            shown = self._shown
            if shown is None or shown.prompt is not prompt:
                return  # it was typed for a prompt that is gone
            try:
                # The SDK strips answers too.
                value = parse_payload(line.strip(), prompt.question.expected_type)
            except PayloadTypeMismatch:
                self._ask_again(shown, line)
                return
            self._shown = None
            self._at_line_start = shown.intact
            del self._waiting[prompt]
        _resolve(prompt, value)

    def _ask_again(self, shown: _Shown, line: str) -> None:
        again = render_again(shown.prompt.question, shown.size)
        typed = rows_below(shown.last_columns, line, shown.size.columns)
        shown.rows += typed + again.rows
        shown.last_columns = again.last_columns
        self._tty.write(again.text)

    def _take_back(self) -> None:
        """Clear the prompt and what was typed, or end its line if that is not possible."""
        shown = self._shown
        assert shown is not None
        if not self._is_foreground():
            self._leave()
            return
        self._shown = None
        self._tty.discard_input()
        if self._tty.can_clear and shown.intact and shown.size == self._tty.size():
            up = f"\x1b[{shown.rows}A" if shown.rows else ""
            self._tty.write(f"\r{up}\x1b[J")
        else:
            self._tty.write("\n")
        self._at_line_start = True

    def _leave(self) -> None:
        """Leave the prompt on the terminal, and end its line."""
        if self._shown is not None:
            self._shown = None
            self._tty.write("\n")
            self._at_line_start = True

    def _print_lines(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self._tty.write("".join(f"{line}\n" for line in lines))
            self._at_line_start = True

    def _is_foreground(self) -> bool:
        try:
            return self._tty.is_foreground()
        except OSError:
            return False

    def _on_other_output(self) -> None:
        with self._lock:
            self._at_line_start = False
            if self._shown is not None:
                self._shown.intact = False


def _resolve(prompt: Prompt, value: Payload) -> None:
    if prompt.result.set_running_or_notify_cancel():
        prompt.result.set_result(value)


def _fail(prompt: Prompt) -> None:
    if not prompt.result.done() and prompt.result.set_running_or_notify_cancel():
        prompt.result.set_exception(TerminalClosed())
