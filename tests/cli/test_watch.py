"""The verb `watch`, and what it shares with `pending`: output on a terminal and in a pipe."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.verbs import Environment, RunningVerb, Started, answer, ask, cells_of, edit_events
from tests.conftest import ROOT, TEST_TIMEOUT, needs, run
from tests.e2e.process import Process, wait_for_data

ESCAPES = "Deploy?\x1b[2J\x1b]0;owned\x07\r\n\x9b31m\u2028\u202e\x7f\x00end"
"""Characters that clear the screen, rename the window or hide the following text."""

NOT_ON_A_TERMINAL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


def test_watch_prints_a_line_for_each_change_by_another_process(watch: Any, other: Process) -> None:
    ask(other, prompt="Deploy the model?")
    reader = watch()
    time, *cells = cells_of(reader.line())
    assert re.fullmatch(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d", time)
    assert cells == ["created", "r", "deploy", "bool", "PAUSED", "Deploy the model?"]
    by = answer(other, True)["signalledBy"]
    assert cells_of(reader.line())[1:] == [
        *("resolved", "r", "deploy", "bool", "SUCCEEDED", f"true, by {by}")
    ]
    ask(other, "threshold", expectedType="float", prompt="Which?")
    assert cells_of(reader.line())[1:] == ["created", "r", "threshold", "float", "PAUSED", "Which?"]
    other.call("events.abort", runName="r", name="threshold", reason="Not needed")
    assert cells_of(reader.line())[1:] == [
        *("resolved", "r", "threshold", "float", "ABORTED", "Not needed")
    ]


def test_watching_a_run_includes_events_answered_before(watch: Any, other: Process) -> None:
    ask(other, run_name="mine")
    answer(other, False, run_name="mine")
    ask(other, run_name="theirs")
    reader = watch("mine")
    assert cells_of(reader.line())[1:6] == ["created", "mine", "deploy", "bool", "SUCCEEDED"]
    ask(other, "again", run_name="theirs")
    ask(other, "again", run_name="mine")
    assert cells_of(reader.line())[1:4] == ["created", "mine", "again"]


def test_without_a_run_only_pending_events_are_printed(watch: Any, other: Process) -> None:
    ask(other, "answered")
    answer(other, True, "answered")
    ask(other, "open", run_name="another")
    assert cells_of(watch().line())[1:4] == ["created", "another", "open"]


@pytest.mark.parametrize(
    ("kind", "payload", "printed"),
    [
        ("int", str(2**63 - 1), str(2**63 - 1)),
        ("float", "NaN", "NaN"),
        ("float", 3.0, "3.0"),
        ("str", "NaN", '"NaN"'),
        ("str", "a\x1b[31m\nb", r'"a\u001b[31m\nb"'),
    ],
)
def test_an_answer_is_printed_by_its_type(
    watch: Any, other: Process, kind: str, payload: Any, printed: str
) -> None:
    ask(other, expectedType=kind)
    answer(other, payload)
    assert cells_of(watch("r").line())[-1].split(", by ")[0] == printed


def test_an_event_of_another_day_is_printed_with_its_date(
    watch: Any, other: Process, store: Path
) -> None:
    ask(other)
    edit_events(store, createdAt="2026-01-02T03:04:05.678Z")
    assert cells_of(watch().line())[:2] == ["2026-01-02", "created"]


def test_json_lines_are_notifications_as_on_the_wire(watch: Any, other: Process) -> None:
    ask(other, prompt="Deploy?")
    reader = watch("r", "--json")
    message = reader.message()
    event = other.call("events.get", runName="r", name="deploy")
    params = {"watch": "watch", "sequence": 1, "change": "created", "event": event}
    assert message == {"jsonrpc": "2.0", "method": "events.changed", "params": params}
    assert reader.message() == {
        "jsonrpc": "2.0",
        "method": "events.synced",
        "params": {"watch": "watch", "sequence": 2},
    }
    event = answer(other, True)
    assert reader.message()["params"] == {
        **{"watch": "watch", "sequence": 3, "change": "resolved", "event": event}
    }


def test_json_lines_equal_the_notifications_to_a_client(watch: Any, other: Process) -> None:
    ask(other, expectedType="int")
    answer(other, str(2**60))
    reader = watch("r", "--json")
    other.request("w", "events.watch", watch="watch", runName="r")
    assert [reader.message(), reader.message()] == other.answers(2)


def test_a_slow_reader_misses_nothing_and_delays_no_other_process(
    watch: Any, other: Process
) -> None:
    text = "x" * 10_000
    for number in range(100):
        ask(other, f"n{number}", description=text)
    reader = watch("--json")
    assert reader.message()["params"]["event"]["name"] == "n0"
    for number in range(100, 400):
        ask(other, f"n{number}", description=text)
    messages = [reader.message() for _ in range(400)]
    names = {m["params"]["event"]["name"] for m in messages if m["method"] == "events.changed"}
    assert names == {f"n{number}" for number in range(1, 400)}
    assert [m["params"]["sequence"] for m in messages] == list(range(2, 402))


@pytest.mark.posix
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_ctrl_c_ends_a_watch_by_the_signal_and_without_output(
    watch: Any, other: Process, form: list[str]
) -> None:
    ask(other)
    reader = watch(*form)
    reader.line()
    assert reader.interrupt() == (-signal.SIGINT, "")


@pytest.mark.posix
def test_ctrl_c_ends_a_watch_whose_output_is_not_read(watch: Any, other: Process) -> None:
    for number in range(20):
        ask(other, f"n{number}", description="x" * 100_000)
    reader = watch("--json")
    assert reader.popen.stdout is not None
    wait_for_data(reader.popen.stdout.fileno())
    reader.popen.send_signal(signal.SIGINT)
    assert reader.popen.wait(TEST_TIMEOUT) == -signal.SIGINT


@pytest.mark.posix
@pytest.mark.parametrize("form", ["", "--json"])
def test_a_watch_ends_when_its_reader_is_gone(env: Environment, other: Process, form: str) -> None:
    for number in range(3):
        ask(other, f"n{number}")
    done = run("sh", "-c", f"{{ flyte-sidecar watch {form}; echo $? >&2; }} | head -1", env=env)
    assert done.stdout.count("\n") == 1
    assert done.stderr == "1\n"


def test_a_watch_ends_with_its_parent(watch: Any, other: Process) -> None:
    ask(other)
    parent = subprocess.Popen(["sleep", "100"])
    try:
        reader = watch("--parent-pid", str(parent.pid))
        reader.line()
    finally:
        parent.kill()
        parent.wait()
    assert reader.rest() == (1, "")


@pytest.mark.parametrize("verb", [["watch"], ["watch", "r", "--json"], ["pending"]])
def test_a_file_that_is_not_a_store_is_an_error_with_kind_and_message(
    env: Environment, store: Path, verb: list[str]
) -> None:
    store.write_text("my diary")
    done = run("flyte-sidecar", *verb, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("store_unavailable: ")
    assert done.stderr.count("\n") == 1


def test_a_watch_whose_store_is_moved_exits_with_1(watch: Any, other: Process, store: Path) -> None:
    ask(other)
    reader = watch()
    reader.line()
    store.rename(store.with_suffix(".gone"))
    status, stderr = reader.rest()
    assert status == 1
    assert stderr.startswith("store_unavailable: ")
    assert "Traceback" not in stderr


@pytest.mark.posix
@pytest.mark.parametrize("verb", [["watch"], ["pending"]])
def test_a_closed_stdout_is_a_one_line_error(env: Environment, verb: list[str]) -> None:
    done = run("sh", "-c", f"exec flyte-sidecar {verb[0]} >&-", env=env)
    assert (done.returncode, done.stderr) == (1, "flyte-sidecar: stdout is closed\n")


@pytest.mark.parametrize("verb", ["watch", "watch r", "pending"])
def test_escape_sequences_in_prompts_and_answers_are_sanitized(
    env: Environment, started: Started, other: Process, verb: str
) -> None:
    ask(other, prompt=ESCAPES)
    ask(other, "next", prompt="")
    started.append(RunningVerb(env, *verb.split()))
    lines = [started[-1].line() for _ in range(3 if verb == "pending" else 2)]
    assert NOT_ON_A_TERMINAL.findall("".join(lines)) == []
    printed = r"Deploy?\x1b[2J\x1b]0;owned\x07 \x9b31m \u202e\x7f\x00end"
    assert printed in lines[-2]


@pytest.mark.parametrize("verb", ["watch", "pending"])
def test_escape_sequences_in_names_are_sanitized(
    env: Environment, started: Started, other: Process, store: Path, verb: str
) -> None:
    ask(other)
    unsafe = "a\x1b[31m\nb\x9b"
    edit_events(store, name=unsafe, runName=unsafe)
    started.append(RunningVerb(env, verb))
    line = [started[-1].line() for _ in range(2 if verb == "pending" else 1)][-1]
    assert NOT_ON_A_TERMINAL.findall(line) == []
    assert line.count(r"a\x1b[31m b\x9b") == 2


@pytest.mark.parametrize("verb", ["watch", "pending"])
def test_json_lines_contain_no_raw_controls_and_no_other_line_breaks(
    env: Environment, started: Started, other: Process, verb: str
) -> None:
    ask(other, prompt=ESCAPES + "\x85\u2029")
    started.append(RunningVerb(env, verb, "--json"))
    line = started[-1].line()
    assert NOT_ON_A_TERMINAL.findall(line) == []
    decoded = json.loads(line)
    event = decoded["params"]["event"] if verb == "watch" else decoded
    assert event["prompt"] == ESCAPES + "\x85\u2029"


@pytest.mark.parametrize("verb", ["watch", "pending"])
def test_characters_outside_the_encoding_of_stdout_are_escaped(
    env: Environment, started: Started, other: Process, verb: str
) -> None:
    ask(other, prompt="blä 青")
    started.append(RunningVerb({**env, "PYTHONIOENCODING": "ascii"}, verb))
    line = [started[-1].line() for _ in range(2 if verb == "pending" else 1)][-1]
    assert line.endswith(r"bl\xe4 \u9752")


@pytest.mark.posix
def test_colour_shows_on_a_terminal(terminal: Any, other: Process) -> None:
    ask(other)
    reader = terminal("watch")
    line = reader.line()
    assert "\x1b[1mdeploy\x1b[0m" in line
    assert "\x1b[33mPAUSED   \x1b[0m" in line
    answer(other, True)
    assert "\x1b[32mSUCCEEDED\x1b[0m" in reader.line()


@pytest.mark.posix
@pytest.mark.parametrize("also", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("verb", ["watch", "pending"])
def test_colour_can_be_disabled(
    terminal: Any, other: Process, verb: str, also: Environment
) -> None:
    ask(other)
    reader = terminal(verb, also=also)
    lines = [reader.line() for _ in range(2 if verb == "pending" else 1)]
    assert "deploy" in lines[-1]
    assert "\x1b" not in "".join(lines)


@pytest.mark.posix
def test_a_terminal_shows_when_all_current_events_are_printed(
    terminal: Any, other: Process
) -> None:
    ask(other)
    reader = terminal("watch", stderr=subprocess.STDOUT)
    assert "deploy" in reader.line()
    assert reader.line().startswith("flyte-sidecar: these are the current events")


@pytest.mark.parametrize(
    "line", ["watch r s", "watch --jsno", "pending r", "watch --json=x", "pending --limit 3"]
)
def test_unknown_arguments_of_a_verb_are_rejected(env: Environment, line: str) -> None:
    done = run("flyte-sidecar", *line.split(), env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: flyte-sidecar" in done.stderr


DISCONNECTING = """
import asyncio, contextlib, os, sys
import flyte_sidecar.server.backends
from msgspec.structs import replace
from flyte_sidecar.cli.main import main
from flyte_sidecar.errors import BackendUnavailable, PermissionDenied
from flyte_sidecar.events.model import Event, Scope

class Backend:
    def scope(self, *_):
        return Scope(None, "p", "d")

    def order_key(self, run):
        return run

    def name_of(self, scope):
        return "flyte"

    async def watch(self, watch):
        async def report(method, *arguments):
            method(*arguments)
            while watch.available().done():  # until it has been sent
                await asyncio.sleep(0)

        members = {name: None for name in Event.__struct_fields__}
        members |= {"project": "p", "domain": "d", "run_name": "r", "name": "n", "action_name": "c"}
        event = Event(**{**members, "pending": True, "partial": False, "phase": "QUEUED"})
        await report(watch.put, event)
        await report(watch.sync)
        await report(watch.disconnect, BackendUnavailable("it is\\x1b[2J away"))
        await report(watch.sync)
        await report(watch.put, replace(event, phase="PAUSED", prompt="Deploy?"))
        await report(watch.remove, event)
        if "FINISHED" not in os.environ:
            raise PermissionDenied("no\\x1b[2J more")

    def snapshot(self):
        return contextlib.nullcontext()

    async def close(self):
        pass

    settle = close

flyte_sidecar.server.backends.make_backend = lambda *_: Backend()
sys.exit(main(["watch", *sys.argv[1:]]))
"""
"""A watch whose backend disconnects and reconnects, and then finishes or fails."""


def disconnecting(env: Environment, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-c", DISCONNECTING, *arguments, env=env)


def test_a_disconnect_is_reported_on_stderr(env: Environment) -> None:
    done = disconnecting(env)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        r"flyte-sidecar: disconnected from the deployment: backend_unavailable: it is\x1b[2J away",
        "flyte-sidecar: reconnected to the deployment; every change is shown",
        r"permission_denied: no\x1b[2J more",
    ]
    assert [cells_of(line)[1:] for line in done.stdout.splitlines()] == [
        ["created", "r", "n", "?", "QUEUED"],
        ["updated", "r", "n", "?", "PAUSED", "Deploy?"],
        ["removed", "r", "n", "?", "QUEUED"],
    ]


def test_a_disconnect_is_reported_in_its_own_json_lines(
    env: Environment,
) -> None:
    done = disconnecting(env, "r", "--json")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    changed = "events.changed"
    assert [message["method"] for message in messages] == [
        *(changed, "events.synced", "events.disconnected", "events.resynced", changed, changed)
    ]
    assert [message["params"]["sequence"] for message in messages] == [1, 2, 3, 4, 5, 6]
    assert messages[2]["params"]["backend"] == messages[3]["params"]["backend"] == "flyte"
    assert messages[2]["params"]["error"]["data"] == {
        "kind": "backend_unavailable",
        "retryable": True,
    }
    assert (done.returncode, done.stderr) == (1, "permission_denied: no\\x1b[2J more\n")


def test_a_finished_watch_exits_with_0(env: Environment) -> None:
    env = {**env, "FINISHED": "1"}
    done = disconnecting(env, "r")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr.count("\n") == 2


@pytest.mark.posix
@pytest.mark.parametrize("name", ["watch.sh", "watch-requests.sh"])
def test_the_scripts_of_the_documentation_work(env: Environment, other: Process, name: str) -> None:
    needs("jq")
    ask(other, prompt="Deploy?")
    shell = subprocess.Popen(
        ["bash", ROOT / "docs" / "examples" / "shell" / name],
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert shell.stdout is not None
        line = shell.stdout.readline().decode()
        is_message = line.startswith("{")
        prompt = json.loads(line)["params"]["event"]["prompt"] if is_message else line.strip()
        assert prompt == "Deploy?"
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()
