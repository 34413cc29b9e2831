"""Verbs as processes: in a shell, with stdin, interrupted, and what they import."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyte_sidecar import Event
from tests.cli.answering.conftest import Backend, Deployment
from tests.cli.verbs import Environment, RunningVerb, Started
from tests.conftest import run
from tests.e2e.deployment import wait_until
from tests.e2e.test_startup import HEAVY, REPORT_MODULES, not_under_coverage
from tests.fake_runservice.hostile import held, served

SCRIPT = """
id=$(flyte-sidecar create r1 rate --type float)
flyte-sidecar wait r1 --action "$id" >waited &
printf '%s\\r\\n' -0.5 | flyte-sidecar signal r1 rate -
wait $!
echo "waited for <$(cat waited)>"
flyte-sidecar create r1 note --type str >/dev/null
printf 'two\\nlines \\n\\n' | flyte-sidecar answer r1 note - | od -c
x=$(flyte-sidecar wait r1 nothing) || echo "<$x> status $?"
"""


@pytest.mark.posix
def test_values_are_passed_through_a_shell(env: Environment, tmp_path: Path) -> None:
    done = run("bash", "-c", SCRIPT, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "-0.5",
        "waited for <-0.5>",
        r"0000000   t   w   o  \n   l   i   n   e   s      \n  \n",
        "0000014",
        "<> status 1",
    ]


@pytest.mark.parametrize(
    ("given", "status"), [(b"\xff", 1), (b"", 1), (b"yes\n\n", 0), (b"no\r\n", 0)]
)
def test_a_value_on_stdin_must_be_utf8_and_of_the_type(
    env: Environment, local: Backend, given: bytes, status: int
) -> None:
    local.ask("deploy")
    done = run("flyte-sidecar", "signal", "r1", "deploy", "-", env=env, input=given, text=False)
    assert (done.returncode, bool(done.stdout)) == (status, status == 0)
    if status:
        assert done.stderr.startswith(b"payload_type_mismatch: ")


def test_an_answer_is_utf8_in_every_locale(env: Environment, local: Backend) -> None:
    local.ask("note", "str")
    ascii_locale = {**env, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = run("flyte-sidecar", "signal", "r1", "note", "größer", env=ascii_locale, text=False)
    assert (done.returncode, done.stdout) == (0, "größer\n".encode())
    assert b'answered with "gr\\xf6\\xdfer"' in done.stderr


@pytest.mark.posix
def test_a_closed_stdout_is_reported_before_anything_is_done(
    env: Environment, local: Backend
) -> None:
    local.ask("deploy")
    done = run("bash", "-c", "flyte-sidecar approve r1 deploy >&-", env=env)
    assert (done.returncode, done.stderr) == (1, "flyte-sidecar: stdout is closed\n")
    assert Event.get("deploy", run_name="r1").phase == "PAUSED"


@not_under_coverage
def test_answers_and_waits_on_the_embedded_store_import_nothing_heavy(
    env: Environment, local: Backend, tmp_path: Path
) -> None:
    local.ask("deploy")
    report = tmp_path / "modules"
    command = [sys.executable, "-c", REPORT_MODULES, str(report)]
    for verb in (
        "list r1",
        "runs",
        "answer r1 deploy yes",
        "signal r1 deploy yes",
        "wait r1 deploy",
    ):
        assert run(*command, *verb.split(), env=env).returncode == 0
        loaded = set(json.loads(report.read_text()))
        assert (
            loaded & (HEAVY | {"rich", "markdown_it", "prompt_toolkit", "click", "httpx"}) == set()
        )


@pytest.mark.posix
def test_an_interrupted_wait_ends_by_the_signal(
    env: Environment, deployment: Deployment, started: Started
) -> None:
    deployment.ask("deploy")
    verb = RunningVerb(env, "wait", "r1", "deploy", *deployment.options)
    started.append(verb)
    wait_until(deployment.server.open_streams.total)
    assert verb.interrupt() == (-signal.SIGINT, "")


class InterruptedAnswer:
    """An answer that was interrupted while the deployment does not respond to it."""

    def __init__(self, verb: RunningVerb, release: threading.Event) -> None:
        self.verb = verb
        self.release = release
        verb.popen.send_signal(signal.SIGINT)
        assert verb.popen.stderr is not None
        line = verb.popen.stderr.readline()
        assert line == b"flyte-sidecar: waiting for the outcome (Ctrl-C to exit)\n"


@pytest.fixture
def answering(
    env: Environment, deployment: Deployment, started: Started
) -> Iterator[InterruptedAnswer]:
    deployment.ask("deploy")
    release = threading.Event()
    deployment.server.hostile.script("SignalEvent", [held(release, served())])
    verb = RunningVerb(env, "approve", "r1", "deploy", *deployment.options)
    started.append(verb)
    wait_until(lambda: deployment.server.hostile.calls["SignalEvent"])
    yield InterruptedAnswer(verb, release)
    release.set()


@pytest.mark.posix
def test_an_answer_that_is_interrupted_reports_its_outcome(answering: InterruptedAnswer) -> None:
    answering.release.set()
    assert answering.verb.line() == "true"
    status, errors = answering.verb.rest()
    assert (status, errors.count("\n")) == (0, 1)
    assert errors.startswith("deploy of run r1 was approved")


@pytest.mark.posix
def test_an_answer_that_is_interrupted_twice_may_have_taken_effect(
    answering: InterruptedAnswer,
) -> None:
    assert answering.verb.interrupt() == (
        -signal.SIGINT,
        "flyte-sidecar: It is unknown whether this took effect.\n",
    )
