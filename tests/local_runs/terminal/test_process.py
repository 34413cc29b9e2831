"""The process that prompts, its terminal, and the other processes there."""

from __future__ import annotations

import signal

import pytest

from tests.local_runs.terminal.conftest import Start

pytestmark = pytest.mark.posix

APPROVE = "Approve? [y/n]:"

THEN = 'echo "status $?"; read line'


def test_an_interrupt_ends_the_program_without_its_prompts(start: Start) -> None:
    program = start(shell=f'trap : INT; "$@" 2>/dev/null; {THEN}')
    program.ask("first")
    program.ask("second")
    program.wait_for(APPROVE)
    program.type("y\x03")
    program.wait_for(f"status {128 + signal.SIGINT}")
    assert "Condition: first" not in program.text


def test_ctrl_d_ends_a_line_that_is_not_empty(start: Start) -> None:
    program = start()
    program.ask("first", "str", "Why?")
    program.ask("second")
    program.shows("", "Condition: first", "Why?:")
    program.type("x\x04")  # not on an empty line
    program.type("\x04")
    shown = ["", "Condition: first", "Why?: x"]
    program.shows(*shown, "", "Condition: second", APPROVE)
    assert program.call("answer", "first") == "'x'"
    program.call("close", "second", "done")
    program.shows(*shown, "done", "")


@pytest.mark.parametrize("end", ["Ctrl-D", "lose_terminal", "close_stdin"])
def test_without_input_there_is_no_terminal(start: Start, end: str) -> None:
    program = start()
    program.ask("first")
    program.ask("second")
    program.shows("", "Condition: first", APPROVE)
    if end == "Ctrl-D":
        program.type("\x04")
    else:
        program.call(end)
    assert [program.call("answer", name) for name in ("first", "second")] == ["closed"] * 2
    assert not program.call("has_terminal")
    program.ask("third")
    assert program.call("answer", "third") == "closed"
    assert program.call("is_intact")
    if end == "Ctrl-D":
        program.call("close", "second", "second can be answered elsewhere")
        program.shows("", "Condition: first", APPROVE, "second can be answered elsewhere", "")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ('"$@" >/dev/null', True),
        ('"$@" 2>/dev/null', True),
        ('"$@" >/dev/null 2>&1', False),
        ('"$@" </dev/null', False),
        ('"$@" <&-', False),
        ('setsid --wait "$@"', False),
    ],
)
def test_stdin_and_an_output_have_to_be_the_terminal(
    start: Start, command: str, expected: bool
) -> None:
    program = start(shell=command)
    assert program.call("has_terminal") is expected
    if expected:
        program.ask("c")
        program.shows("", "Condition: c", APPROVE)


def test_replaced_streams_are_no_terminal(start: Start) -> None:
    program = start()
    program.call("replace", "stdout")
    assert program.call("has_terminal")  # there is stderr
    program.call("replace", "stderr")
    assert not program.call("has_terminal")
    program = start()
    program.call("replace", "stdin")
    assert not program.call("has_terminal")


def test_a_background_job_neither_prompts_nor_stops(start: Start) -> None:
    go_on = 'read line; echo "$line"'
    in_background = f"bg; {go_on}; fg; {go_on}"
    program = start(shell=f'set -m; "$@" & {go_on}; fg; {go_on}; {in_background}; {in_background}')
    assert not program.call("has_terminal")
    assert program.call("read") is None
    program.ask("c", "str", "Why?")
    program.type("to the foreground\n")  # is for the shell
    program.wait_for("Why?:")
    assert program.call("has_terminal")

    def continue_in_background(times: int) -> None:
        program.type("\x1a")  # Ctrl-Z
        program.wait(lambda screen: screen.count("topped") == times)
        program.type("to the background\n")
        program.wait(lambda screen: screen.count("to the background") == 2 * times)
        program.call("wait_for_background")

    continue_in_background(1)
    program.type("to the foreground again\n")
    program.wait(lambda screen: screen.count("Why?:") == 2)
    continue_in_background(2)
    program.call("close", "c", "c is closed")
    program.wait_for("c is closed")
    assert program.text.count("Why?:") == 2  # what the shell has printed must not be cleared
    program.ask("next", "str", "How?")
    program.type("to the foreground at last\n")
    program.wait_for("How?:")
    program.type("so\n")
    assert program.call("answer", "next") == "'so'"


def test_a_prompt_is_shown_again_after_the_process_was_stopped(start: Start) -> None:
    program = start()
    program.ask("c", "str", "Why?")
    program.wait_for("Why?:")
    program.call("set_stopped_after", -1.0)  # in place of a process that is stopped for so long
    program.wait(lambda screen: screen.count("Why?:") > 1)
    program.call("set_stopped_after", 100.0)
    program.type("so\n")
    assert program.call("answer", "c") == "'so'"


def test_reads_that_block_keep_prompts_working(start: Start) -> None:
    program = start()
    program.call("use_windows_terminal")
    assert program.call("has_terminal")
    program.ask("first", "str", "Why?")
    program.shows("", "Condition: first", "Why?:")
    program.type("so\n")
    assert program.call("answer", "first") == "'so'"
    program.ask("second", "int", "How many?")
    program.ask("third")
    program.wait_for("How many?:")
    program.call("close", "second", "second is closed")
    program.wait_for("second is closed")
    program.type("7\n")  # for a prompt that is gone
    program.wait_for(f"Condition: third\n{APPROVE}")
    program.type("y\n")
    assert program.call("answer", "third") == "True"
    program.leave("last")
    program.wait_for("Condition: last")
    program.start("exit")
    assert program.status() == 0


def test_a_forked_process_does_not_prompt(start: Start) -> None:
    program = start()
    program.ask("c")
    program.wait_for(APPROVE)
    assert program.call("fork") == [False, True]
    program.wait_for("printed by the child")
    program.type("y\n")
    assert program.call("answer", "c") == "True"


def test_the_exit_leaves_the_cursor_at_the_start_of_a_line(start: Start) -> None:
    program = start(shell=f'"$@"; {THEN}')
    program.leave("first")
    program.leave("second")
    program.shows("", "Condition: first", APPROVE)
    program.start("exit")
    program.shows("", "Condition: first", APPROVE, "status 0", "")
