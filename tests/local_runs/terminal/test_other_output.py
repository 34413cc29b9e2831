"""Prompts between the output of tasks."""

from __future__ import annotations

import sys

import pytest

from tests.local_runs.terminal.conftest import Start

pytestmark = pytest.mark.posix

APPROVE = "Approve? [y/n]:"


@pytest.mark.parametrize(
    "function",
    [
        "print",
        "log",
        pytest.param(
            "print_from_child",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports it"),
        ),
    ],
)
def test_output_below_a_prompt_is_not_cleared(start: Start, function: str) -> None:
    program = start()
    if function != "print_from_child":
        program.call("disable_direct_output")
    program.ask("c")
    program.shows("", "Condition: c", APPROVE)
    program.call(function, "from a task")
    shown = ["", "Condition: c", f"{APPROVE} from a task"]
    program.shows(*shown, "")
    program.type("ye")
    program.shows(*shown, "ye")
    program.call("close", "c", "done")
    program.shows(*shown, "ye", "done", "")
    # What was typed is discarded nevertheless, and later prompts are cleared again.
    program.ask("next")
    program.shows(*shown, "ye", "done", "", "Condition: next", APPROVE)
    program.call("close", "next", "done too")
    program.shows(*shown, "ye", "done", "", "done too", "")


def test_an_incomplete_line_before_a_prompt_is_not_cleared(start: Start) -> None:
    program = start()
    program.call("print", "a line of ", "")
    program.ask("c")
    program.shows("a line of", "Condition: c", APPROVE)
    program.call("close", "c", None)
    program.shows("a line of", "")
    program.ask("next")
    program.shows("a line of", "", "Condition: next", APPROVE)
    program.type("y\n")
    assert program.call("answer", "next") == "True"
    program.call("print", "a task", "")
    program.ask("last")
    shown = ["a line of", "", "Condition: next", f"{APPROVE} y", "a task"]
    program.shows(*shown, "Condition: last", APPROVE)
    program.call("close", "last", "done")
    program.shows(*shown, "done", "")


def test_a_stopped_terminal_blocks_nothing(start: Start) -> None:
    program = start()
    program.call("print", "before")
    program.type("\x13")  # Ctrl-S
    program.call("wait_until_stopped")
    program.ask("first")
    program.ask("second")
    program.call("close", "first", "first is closed")
    program.type("\x11")  # Ctrl-Q
    program.wait_for(f"Condition: second\n{APPROVE}")
    assert "first is closed" in program.text
    program.type("y\n")
    assert program.call("answer", "second") == "True"
