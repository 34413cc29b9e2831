"""A prompt at the terminal.

A prompt can be taken back when its question was answered elsewhere. No event loop is blocked: one
thread of the process reads what is typed, and only while a prompt is shown.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress

from flyte_sidecar._futures import try_set_result
from flyte_sidecar.events.model import Payload
from flyte_sidecar.local_runs.terminal.prompt_queue import PromptQueue, TerminalClosed
from flyte_sidecar.local_runs.terminal.question import Question

if sys.platform == "win32":
    from flyte_sidecar.local_runs.terminal.windows_terminal import WindowsTerminal as Terminal
    from flyte_sidecar.local_runs.terminal.windows_terminal import is_available
else:
    from flyte_sidecar.local_runs.terminal.posix_terminal import PosixTerminal as Terminal
    from flyte_sidecar.local_runs.terminal.posix_terminal import is_available


def has_terminal() -> bool:
    """Return whether a person can be asked: the terminal is there, with this process in front.

    It is False for background jobs, after Ctrl-D, and in processes forked from one that prompted.
    """
    return is_available() and not (_queue is not None and _queue.is_closed)


class TerminalPrompt:
    """The prompt of one question; it is shown once all earlier ones are gone."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.result: Future[Payload] = Future()
        self._queue = _get_queue()
        if self._queue is None:
            self.result.set_exception(TerminalClosed())
        else:
            self._queue.add(self)

    async def answer(self) -> Payload:
        """Return the answer, as the question parses it. Cancelling it removes the prompt.

        Raises
        ------
        TerminalClosed
            At the end of the input, or if the prompt was closed.
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()

        def notify(_: Future[Payload]) -> None:
            with suppress(RuntimeError):  # the loop may be closed
                loop.call_soon_threadsafe(try_set_result, answered, None)

        self.result.add_done_callback(notify)
        try:
            await answered
        except BaseException:
            self.close(None)
            raise
        return self.result.result()

    def close(self, line: str | None) -> None:
        """Remove the prompt, and print a line in its place."""
        if self._queue is not None:
            self._queue.remove(self, line)


_queue: PromptQueue | None = None
_starting = threading.Lock()


def _get_queue() -> PromptQueue | None:
    """Return the queue of the process, or None if there is no terminal."""
    global _queue
    with _starting:
        if _queue is None:
            try:
                _queue = PromptQueue(Terminal())
            except (OSError, RuntimeError):  # no controlling terminal, or no thread
                return None
        return _queue


def _after_fork_in_child() -> None:
    global _starting
    _starting = threading.Lock()
    if _queue is not None:
        _queue.abandon()


def _exit() -> None:
    if _queue is not None:
        _queue.exit()


atexit.register(_exit)
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_after_fork_in_child)
