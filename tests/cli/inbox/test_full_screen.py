"""The full-screen mode in real pseudo-terminals."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.inbox.conftest import Start
from tests.cli.verbs import Environment, answer, ask
from tests.conftest import run
from tests.e2e.process import Process

pytestmark = pytest.mark.posix


def test_a_person_answers_events_and_sees_what_others_answer(start: Start, other: Process) -> None:
    ask(other, "deploy", prompt="Deploy?")
    ask(other, "threshold", expectedType="float")
    ask(other, "review")
    terminal = start(columns=80)
    terminal.wait_for("3 events wait")
    terminal.type("y")
    terminal.wait(lambda text: "approved" in text and "2 events wait" in text)
    assert other.call("events.get", runName="r", name="deploy")["payload"] is True
    answer(other, False, "review")
    terminal.wait(lambda text: "rejected" in text and "1 event waits" in text)
    terminal.type("ja")
    terminal.wait_for("Answer:")
    terminal.type("high\r")
    terminal.wait_for("The event expects a number such as 0.5")
    terminal.type("\x15\x1b[200~0.\n5\x1b[201~")  # a paste never sends anything
    terminal.wait_for("Answer: 0. 5")
    terminal.type("\x7f\x7f5\r")
    terminal.wait_for("0 events wait")
    assert other.call("events.get", runName="r", name="threshold")["payload"] == 0.5
    terminal.type("q")
    assert terminal.status() == 0
    assert terminal.is_restored()


def test_keys_open_the_prompt_filter_and_abort(start: Start, other: Process) -> None:
    ask(other, "deploy", prompt="**Deploy** the model?", promptType="markdown")
    ask(other, "review")
    terminal = start()
    terminal.wait_for("2 events wait")
    terminal.type("\r")
    terminal.wait_for("│ Deploy the model?")
    assert terminal.style("Deploy the")[1]
    terminal.type("\x1b")
    terminal.wait_for("Enter open")
    terminal.type("?")
    terminal.wait_for("There is no undo")
    terminal.type("q/rev")
    terminal.wait(lambda text: "1 shown: rev" in text and "deploy" not in text)
    terminal.type("\rx")
    terminal.wait_for("Reason (optional):")
    terminal.type("no longer needed\r")
    terminal.wait_for("This cannot be undone")
    terminal.type("y")
    terminal.wait_for("aborted: no longer needed")
    terminal.type("\x03")
    assert terminal.status() == 0
    assert terminal.is_restored()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_restores_the_terminal(start: Start, other: Process, name: str) -> None:
    ask(other)
    terminal = start()
    terminal.wait_for("1 event waits")
    number = signal.Signals[name]
    terminal.send(number)
    assert terminal.status() == (0 if number == signal.SIGINT else 128 + number)
    assert terminal.is_restored()


def test_the_inbox_continues_after_it_was_suspended(
    start: Start, other: Process, env: Environment
) -> None:
    ask(other)
    # The shell is interactive: it has job control.
    terminal = start(shell="bash --norc -i", also={"PS1": "$ "})
    terminal.wait_for("$")
    terminal.type("flyte-sidecar inbox\n")
    terminal.wait_for("1 event waits")
    terminal.type("\x1a")
    terminal.wait_for("Stopped")
    ask(other, "later")
    terminal.type("fg\n")
    terminal.wait_for("2 events wait")
    terminal.type("q")
    terminal.wait(lambda _: terminal.has_left())
    terminal.type("echo status $?\n")
    terminal.wait_for("status 0")


def test_the_inbox_continues_after_it_was_stopped_by_another_process(
    start: Start, other: Process, tmp_path: Path
) -> None:
    ask(other)
    terminal = start(shell="bash --norc -i", also={"PS1": "$ "})
    terminal.wait_for("$")
    terminal.type("sh -c 'echo $$ >pid; exec flyte-sidecar inbox'\n")
    terminal.wait_for("1 event waits")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGSTOP)
    terminal.wait_for("Stopped")
    terminal.type("fg\n")
    terminal.wait(lambda text: "Stopped" not in text and "1 event waits" in text)
    terminal.type("y")  # the terminal sends keys, and not lines
    terminal.wait_for("0 events wait")
    terminal.type("\x0cq")
    terminal.wait(lambda _: terminal.has_left())
    terminal.type("echo status $?\n")
    terminal.wait_for("status 0")


def test_the_screen_follows_the_size_of_the_terminal(start: Start, other: Process) -> None:
    for number in range(30):
        ask(other, f"event-{number}")
    terminal = start(columns=80, rows=24)
    terminal.wait_for("event-19")
    terminal.type("jj")
    for columns, rows in ((40, 6), (3, 1), (80, 24)):
        terminal.resize(columns, rows)
        terminal.wait(lambda text, rows=rows: _height(text) <= rows)
    terminal.wait(lambda text: "> r    event-2 " in text and "event-19" in text)
    ages = {*re.findall(r" \d+[sm] ", terminal.text)}
    terminal.wait(lambda text: {*re.findall(r" \d+[sm] ", text)} - ages)


def _height(text: str) -> int:
    return max((row for row, line in enumerate(text.splitlines(), 1) if line), default=99)


def test_colours_are_those_of_the_terminal_and_can_be_turned_off(
    start: Start, other: Process
) -> None:
    ask(other)
    for also, colour in (({}, "green"), ({"NO_COLOR": "1"}, "default")):
        terminal = start(also=also)
        terminal.wait_for("connected to")
        assert terminal.style("connected to")[0] == colour


def test_what_was_typed_before_the_list_was_shown_answers_nothing(
    start: Start, other: Process
) -> None:
    ask(other)
    terminal = start(shell="bash -c 'read; exec flyte-sidecar inbox'")
    terminal.type("\nyyq")
    terminal.wait_for("1 event waits")
    terminal.type("q")
    assert terminal.status() == 0
    assert other.call("events.get", runName="r", name="deploy")["pending"]


def test_a_text_that_is_pasted_as_keys_answers_nothing(start: Start, other: Process) -> None:
    ask(other)
    terminal = start()
    terminal.wait_for("1 event waits")
    for keys in ("yes", "sy", "\x1by"):
        terminal.type("?")
        terminal.wait_for("There is no undo")
        terminal.type("q")
        terminal.wait_for("q quit")
        terminal.type(keys)
        terminal.wait_for("several keys arrived at once")
    terminal.type("x\ryes\n")
    terminal.wait_for("this question was not on the screen yet")
    terminal.type("\x15\r")
    terminal.wait_for("This cannot be undone")
    terminal.type("yes")
    terminal.wait_for("several keys arrived at once")
    assert other.call("events.get", runName="r", name="deploy")["pending"]
    terminal.type("y")
    terminal.wait_for("was aborted")
    terminal.type("q")
    assert terminal.status() == 0


def test_an_exception_restores_the_terminal_and_is_shown(
    start: Start, other: Process, tmp_path: Path
) -> None:
    ask(other)
    program = tmp_path / "broken.py"
    program.write_text(
        "from flyte_sidecar.cli import main\n"
        "from flyte_sidecar.cli.inbox import screen\n"
        "def broken(*_): raise ValueError('a bug')\n"
        "screen.help_lines = broken\n"
        "main.entry_point()\n"
    )
    terminal = start(shell=f"{sys.executable} {program} inbox")
    terminal.wait_for("1 event waits")
    terminal.type("?")
    assert terminal.status() == 1
    terminal.wait_for("ValueError: a bug")
    assert terminal.is_restored()


def test_without_a_terminal_the_pending_events_are_printed(
    env: Environment, other: Process
) -> None:
    ask(other, "deploy")
    done = run("flyte-sidecar", "inbox", env=env)
    assert done.returncode == 0
    assert "deploy" in done.stdout
    assert done.stderr == ("flyte-sidecar: inbox needs a terminal; these are the pending events\n")


@pytest.mark.parametrize(
    "installed",
    [
        "import sys; sys.modules['prompt_toolkit'] = None",
        "from prompt_toolkit import styles; styles.Attrs._fields = ()",
    ],
    ids=["none", "old"],
)
def test_without_the_extra_the_inbox_is_plain_and_says_how_to_install_it(
    start: Start, other: Process, tmp_path: Path, installed: str
) -> None:
    ask(other, "deploy")
    (tmp_path / "sitecustomize.py").write_text(installed)
    terminal = start(also={"PYTHONPATH": str(tmp_path)})
    terminal.wait_for("flyte-sidecar[inbox]")
    terminal.wait_for("1: deploy of run r")
