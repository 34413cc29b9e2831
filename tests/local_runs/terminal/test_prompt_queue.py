"""The queue of prompts at a terminal whose input arrives at chosen moments."""

from __future__ import annotations

import threading
from concurrent.futures import Future

from flyte_sidecar.events.model import Payload
from flyte_sidecar.local_runs.terminal.condition_question import ConditionQuestion
from flyte_sidecar.local_runs.terminal.prompt_queue import PromptQueue
from flyte_sidecar.local_runs.terminal.terminal_device import Size
from tests.conftest import TEST_TIMEOUT


class FakeTerminal:
    """A `TerminalDevice` that does not notice input before it is woken."""

    can_clear = True

    def __init__(self) -> None:
        self.written = ""
        self.input: list[str] = []
        self.woken = threading.Semaphore(0)
        self.waiting_for_input = threading.Event()

    def size(self) -> Size:
        return Size(80, 24)

    def is_foreground(self) -> bool:
        return True

    def prepare_thread(self) -> None:
        pass

    def wake(self) -> None:
        self.woken.release()

    def wait(self, *, for_input: bool, timeout: float | None) -> bool:
        if not (for_input and self.input):
            if for_input:
                self.waiting_for_input.set()
            self.woken.acquire(timeout=TEST_TIMEOUT)
        return bool(self.input)

    def has_input(self) -> bool:
        return bool(self.input)

    def read_line(self) -> str | None:
        return self.input.pop(0) if self.input else None

    def discard_input(self) -> str:
        self.input.clear()
        return ""

    def write(self, text: str) -> None:
        self.written += text

    def flush(self) -> None:
        pass


class Prompt:
    def __init__(self, name: str) -> None:
        self.question = ConditionQuestion("r", name, "a", "str", "Why?", "text", "")
        self.result: Future[Payload] = Future()


def test_a_line_of_a_queued_prompt_waits_for_an_answer_that_was_typed() -> None:
    terminal = FakeTerminal()
    queue = PromptQueue(terminal)
    first, second = Prompt("first"), Prompt("second")
    queue.add(first)
    queue.add(second)
    assert terminal.waiting_for_input.wait(TEST_TIMEOUT)
    terminal.input.append("so\n")
    queue.remove(second, "second was answered")
    assert first.result.result(TEST_TIMEOUT) == "so"
    queue.exit()
    assert terminal.written.endswith(": second was answered\n")
    assert terminal.written.count("Why?") == 1


def test_prompts_do_not_fail_at_exit() -> None:
    queue, prompt = PromptQueue(FakeTerminal()), Prompt("c")
    queue.add(prompt)
    queue.exit()
    assert not prompt.result.done()
