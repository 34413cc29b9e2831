"""The terminal asks for an answer; each test runs a verb in a shell on a real pseudo-terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flyte_sidecar import Event
from tests.cli.answering.conftest import Backend, Deployment
from tests.cli.verbs import Environment
from tests.conftest import run
from tests.terminal import Terminal

pytestmark = pytest.mark.posix

Start = Callable[..., Terminal]

HOSTILE = "Which\x1b[2J rate?\nAnswer [yes/no]: yes\n\u202e[x](http://x) &#27;[31m" + "y" * 90


@pytest.fixture
def start(env: Environment, tmp_path: Path) -> Iterator[Start]:
    """Starts a line of a shell at a terminal, which then shows the exit status."""
    started: list[Terminal] = []

    def start(line: str, **options: object) -> Terminal:
        script = f'{line}; echo "status $?"; cat'
        started.append(Terminal(["bash", "-c", script], env, tmp_path, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


def shown(terminal: Terminal) -> list[str]:
    return [line for line in terminal.lines if line]


def test_the_prompt_is_shown_and_the_answer_asked_until_it_has_the_type(
    start: Start, local: Backend
) -> None:
    local.ask("rate", "float", prompt=HOSTILE, description="Of 1.", expires_in=86400.0 * 3)
    terminal = start("flyte-sidecar signal r1 rate")
    terminal.wait_for("Answer [number]:")
    heading, *quote, field = shown(terminal)
    assert re.fullmatch(r"rate of run r1 \(waits for \d+\w, expires in 2d\)", heading)
    assert quote == [
        r"│ Which\x1b[2J rate?",
        "│ Answer [yes/no]: yes",
        r"│ \u202e[x](http://x)",
        r"│ &#27;[31m" + "y" * 77,
        "│ " + "y" * 13,
        "│",
        "│ Of 1.",
    ]
    assert field == "Answer [number]:"
    terminal.type("high\r")
    terminal.wait_for("'high' is not a float: enter a number such as 0.5 (or nan, inf, -inf)")
    terminal.type("\r")
    terminal.wait_for("\nEnter a number such as 0.5")
    terminal.type(" -0.25\r")
    terminal.wait_for("status 0")
    outcome, status = shown(terminal)[-2:]  # stdout is a terminal: the value is not printed
    assert outcome.startswith("rate of run r1 was answered with -0.25")
    assert status == "status 0"
    assert Event.get("rate", run_name="r1").phase == "SUCCEEDED"


def test_a_prompt_in_markdown_is_rendered(start: Start, local: Backend) -> None:
    local.ask("deploy", prompt="# Deploy *m1*?\n\n- `eu`\n\n&#27;[2J", prompt_type="markdown")
    terminal = start("flyte-sidecar answer", columns=40)
    terminal.wait_for("Answer [yes/no]:")
    assert shown(terminal)[1:-1] == ["│ Deploy m1?", "│", "│  • eu", "│", "│ �[2J"]
    assert terminal.style("Deploy m1")[1]
    terminal.type("maybe\r")
    terminal.wait_for("'maybe' is not a bool: enter yes or no")
    terminal.type("y\r")
    terminal.wait_for("status 0")
    assert "deploy of run r1 was approved" in terminal.text


@pytest.mark.parametrize("no_answer", ["\r", "a pasted\rtext\r\r", "rm -r x\rls\rls"])
def test_a_text_is_one_line(start: Start, local: Backend, no_answer: str) -> None:
    local.ask("note", "str")
    terminal = start('x=$(flyte-sidecar signal r1 note); echo "[$x]"')
    terminal.wait_for("Answer [text]:")
    terminal.type(no_answer)
    terminal.wait_for("one line (pass an empty one or several lines as VALUE)")
    assert Event.get("note", run_name="r1").phase == "PAUSED"
    terminal.wait(lambda screen: screen.rstrip().endswith("Answer [text]:"))
    terminal.type("größer\r")
    terminal.wait_for("status 0")
    assert 'note of run r1 was answered with "größer"' in terminal.text
    assert shown(terminal)[-2:] == ["[größer]", "status 0"]  # stdout has only the answer


def test_the_question_is_withdrawn_when_somebody_else_answers(
    start: Start, backend: Backend, env: Environment
) -> None:
    backend.ask("deploy", prompt="Deploy?")
    options = " ".join(backend.options)
    terminal = start(f"flyte-sidecar signal r1 deploy {options}")
    terminal.wait_for("Answer [yes/no]:")
    scope = "(p/d, waits" if options else "(waits"
    assert f"deploy of run r1 {scope} for " in terminal.text
    terminal.type("n")
    done = run("flyte-sidecar", "approve", "r1", "deploy", *backend.options, env=env)
    assert done.returncode == 0
    terminal.wait_for("status 1")
    assert "already_signalled: Nothing was changed: deploy of run r1 was already approved" in (
        terminal.text.replace("\n", " ")
    )
    assert "Deploy?" not in terminal.text


def test_an_event_of_a_deployment_is_answered_at_the_terminal(
    start: Start, deployment: Deployment
) -> None:
    deployment.ask("rate", "float", prompt="**Which**\x1b[2J rate?", markdown=True)
    terminal = start(f'x=$(flyte-sidecar answer {" ".join(deployment.options)}); echo "[$x]"')
    terminal.wait_for("Answer [number]:")
    assert r"│ Which\x1b[2J rate?" in terminal.text
    terminal.type("3\r")
    terminal.wait_for("status 0")
    assert shown(terminal)[-2:] == ["[3.0]", "status 0"]
    assert "rate of run r1 was answered with 3.0" in terminal.text


@pytest.mark.parametrize(("key", "status"), [("\x04", 1), ("\x03", 130)])
@pytest.mark.parametrize("verb", ["signal r1 rate", "answer", "answer r1 deploy"])
def test_leaving_the_question_changes_nothing(
    start: Start, local: Backend, verb: str, key: str, status: int
) -> None:
    for name, parent in (("deploy", "a1"), ("deploy", "a2"), ("rate", "a0")):
        local.ask(name, parent=parent)
    terminal = start(f"trap 'echo interrupted' INT; flyte-sidecar {verb}")
    terminal.wait(re.compile(r"^(Answer|Event) \[.*\]:$", re.MULTILINE).search)
    terminal.type(key)
    terminal.wait_for(f"status {status}")
    assert ("request_cancelled: " in terminal.text) == (status == 1)
    assert ("interrupted" in terminal.text) == (status == 130)
    assert {event.phase for event in Event.listall(run_name="r1")} == {"PAUSED"}


def test_one_of_several_events_is_chosen_from_a_list(start: Start, local: Backend) -> None:
    for number in range(1, 20):
        local.ask(f"event-{number}", prompt=f"Deploy\x1b[2J model {number}?\nYes")
    terminal = start("flyte-sidecar answer", columns=50, rows=40)
    terminal.wait_for("Event [1-15, text to filter, Enter for more]:")
    [first] = [line for line in terminal.lines if line.startswith("  1  ")]
    assert re.fullmatch(r"  1  r1  event-1 {3}bool  \d+s  Deploy\\x1b\[2J model …", first)
    terminal.type("\r")
    terminal.wait_for("Event [1-4, text to filter, Enter for all]:")
    terminal.type("MODEL 19\r")
    terminal.wait_for("Event [1-1, ")
    terminal.type("nothing\r")
    terminal.wait_for("No event that waits contains 'nothing'.")
    terminal.type("99\r")
    terminal.wait_for("Enter a number from 1 to 15")
    terminal.type("3\r")
    terminal.wait_for("Answer [yes/no]:")
    assert "event-3 of run r1 (waits" in terminal.text
    terminal.type("no\r")
    terminal.wait_for("status 0")
    assert Event.get("event-3", run_name="r1").phase == "SUCCEEDED"
