"""A program at a terminal, which does what its test sends through a socket."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flyte_sidecar.local_runs.terminal import (
    ConditionQuestion,
    TerminalClosed,
    TerminalPrompt,
    has_terminal,
    prompt_queue,
    terminal_prompt,
    windows_terminal,
)
from flyte_sidecar.local_runs.terminal.direct_output import DirectOutput
from flyte_sidecar.local_runs.terminal.posix_terminal import PosixTerminal
from flyte_sidecar.local_runs.terminal.windows_terminal import WindowsTerminal

if sys.platform != "win32":
    import fcntl
    import termios

Answers = dict[str, "asyncio.Task[str]"]


class Program:
    """The functions that the test may call."""

    def __init__(self) -> None:
        self.prompts: dict[str, TerminalPrompt] = {}
        self.answers: Answers = {}
        self.logger = logging.getLogger("task")
        self.logger.addHandler(logging.StreamHandler())  # keeps a reference to stderr

    def ask(self, name: str, expected_type: str, prompt: str, description: str) -> None:
        self.leave(name, expected_type, prompt, description)
        self.answers[name] = asyncio.ensure_future(self._answer(self.prompts[name]))

    def leave(self, name: str, expected_type: str, prompt: str, description: str) -> None:
        """Ask without waiting for the answer."""
        question = ConditionQuestion(
            run_name="r",
            name=name,
            action_name=f"a0-cond-{name}-1",
            expected_type=expected_type,  # type: ignore[arg-type]
            prompt=prompt,
            prompt_type="text",
            description=description,
        )
        self.prompts[name] = TerminalPrompt(question)

    async def _answer(self, prompt: TerminalPrompt) -> str:
        try:
            return repr(await prompt.answer())
        except TerminalClosed:
            return "closed"

    async def answer(self, name: str) -> str:
        return await self.answers[name]

    def close(self, name: str, line: str | None) -> None:
        self.prompts[name].close(line)

    def close_and_print(self, name: str, line: str, text: str) -> None:
        self.prompts[name].close(line)
        self.print(text)

    async def cancel(self, name: str) -> None:
        self.answers[name].cancel()
        await asyncio.wait([self.answers[name]])

    def answer_in_loops(self, names: list[str]) -> list[str]:
        """Await the answers of prompts in event loops of other threads, one loop for each."""
        with ThreadPoolExecutor(len(names)) as pool:
            answers = [self._answer(self.prompts[name]) for name in names]
            return list(pool.map(asyncio.run, answers))

    def await_in_closed_loop(self, name: str) -> None:
        """Start to await an answer in an event loop that is closed then."""

        def run() -> None:
            loop = asyncio.new_event_loop()
            self.unfinished = loop.create_task(self.prompts[name].answer())
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    def print(self, text: str, end: str = "\n") -> None:
        print(text, end=end, flush=True)  # noqa: T201

    def log(self, text: str) -> None:
        self.logger.warning(text)

    def print_from_child(self, text: str) -> None:
        subprocess.run(["echo", text], check=True)

    def is_intact(self) -> bool:
        """Return whether the standard streams are as Python has made them."""
        return not any("write" in vars(stream) for stream in (sys.stdout, sys.stderr))

    def has_terminal(self) -> bool:
        return has_terminal()

    def fork(self) -> list[Any]:
        """Return what a forked process sees: whether it has a terminal, and may prompt."""
        source, to = os.pipe()
        if os.fork() == 0:
            self.print("printed by the child")
            self.leave("child", "str", "Child?", "")
            refused = isinstance(self.prompts["child"].result.exception(10), TerminalClosed)
            os.write(to, json.dumps([has_terminal(), refused]).encode())
            os._exit(0)
        os.close(to)
        with open(source) as file:
            seen: list[Any] = json.load(file)
        return seen

    def wait_until_stopped(self) -> None:
        """Wait until Ctrl-S has stopped the terminal."""
        while select.select([], [1], [], 0)[1]:
            time.sleep(0.01)

    def lose_terminal(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        fcntl.ioctl(0, termios.TIOCNOTTY)

    def close_stdin(self) -> None:
        sys.stdin.close()

    def wait_for_background(self) -> None:
        """Wait until the prompt is known to be below the output of the shell."""
        queue = terminal_prompt._get_queue()
        assert queue is not None
        while has_terminal() or queue._shown is not None:
            time.sleep(0.01)

    def read(self) -> str | None:
        """Read a line from the terminal although there may be none."""

        def read() -> str | None:
            terminal = PosixTerminal()
            terminal.prepare_thread()
            return terminal.read_line()

        with ThreadPoolExecutor() as pool:
            return pool.submit(read).result()

    def disable_direct_output(self) -> None:
        """Do as on systems that do not report output that bypasses Python's streams."""
        DirectOutput.seen = lambda self: False  # type: ignore[method-assign]

    def set_stopped_after(self, seconds: float) -> None:
        prompt_queue.STOPPED_AFTER = seconds

    def use_windows_terminal(self) -> None:
        terminal_prompt.Terminal = WindowsTerminal  # type: ignore[misc, assignment]
        terminal_prompt.is_available = windows_terminal.is_available  # type: ignore[assignment]

    def replace(self, stream: str) -> None:
        """Replace a standard stream, as notebooks and test runners do."""
        setattr(sys, stream, io.StringIO())

    def exit(self) -> None:
        sys.exit(0)


async def main(connection: socket.socket) -> None:
    program = Program()
    reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 20)
    while line := await reader.readline():
        name, *arguments = json.loads(line)
        result = getattr(program, name)(*arguments)
        if asyncio.iscoroutine(result):
            result = await result
        writer.write(json.dumps(result).encode() + b"\n")


if __name__ == "__main__":
    asyncio.run(main(socket.socket(fileno=int(sys.argv[1]))))
