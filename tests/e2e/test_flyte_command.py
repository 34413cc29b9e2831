"""The other verbs, and the Python API, on a Flyte deployment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import ROOT, TEST_TIMEOUT, run
from tests.doctor_report import read_report
from tests.e2e.conftest import OLD_AND_NEW
from tests.e2e.deployment import RUN, SCOPE, flyte_options, scoped_options
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

Environment = dict[str, str]


@pytest.fixture
def env(command: Environment) -> Environment:
    """The environment of the command, without variables that select a backend."""
    return {name: value for name, value in command.items() if name != "FLYTE_SIDECAR_BACKEND"}


def call(
    server: Server, env: Environment, method: str, **params: object
) -> subprocess.CompletedProcess[str]:
    arguments = (
        "flyte-sidecar",
        *scoped_options(server.endpoint),
        "call",
        method,
        json.dumps(params),
    )
    return run(*arguments, env=env)


# The command.


def test_doctor_reports_that_the_deployment_works(
    server: Server, env: Environment, store: Path
) -> None:
    done = run("flyte-sidecar", "doctor", *scoped_options(server.endpoint), env=env)
    assert (done.returncode, done.stderr) == (0, "")
    checks = read_report(done.stdout)
    assert {name: checks[name][:2] for name in ("backend", "scope", "transport", "login")} == {
        "backend": ("ok", "flyte (option --backend)"),
        "scope": ("ok", "org none, project p, domain d"),
        "transport": ("ok", "gRPC"),
        "login": ("ok", "none, because the connection is insecure"),
    }
    assert checks["endpoint"] == ("ok", f"{server.endpoint} responds", "")
    assert checks["answers"] == ("ok", "events can be answered", "")
    assert not store.exists()


@pytest.mark.parametrize("transport", [[], ["--transport", "connect"]], ids=str)
def test_doctor_reports_that_only_connect_passes(transport: list[str], env: Environment) -> None:
    with Server(Model("2.0.43"), protocol="connect") as server:
        options = [*scoped_options(server.endpoint), *transport]
        done = run("flyte-sidecar", "doctor", *options, env=env)
        refused = run("flyte-sidecar", "doctor", *options, "--transport", "grpc", env=env)
    assert read_report(done.stdout)["transport"].detail == "Connect"
    assert done.returncode == 0
    endpoint = read_report(refused.stdout)["endpoint"]
    assert "the server does not respond with gRPC" in endpoint.detail
    assert "use --transport auto" in endpoint.advice
    assert refused.returncode == 1


def test_an_unknown_transport_is_a_usage_error(env: Environment) -> None:
    done = run("flyte-sidecar", "--transport", "http", "doctor", env=env)
    assert done.returncode == 2
    assert "choose from" in done.stderr


@pytest.mark.parametrize(
    ("projects", "says"),
    [
        ({"q": ["d"]}, "project 'p' does not exist"),
        ({"p": ["development", "e"]}, "project 'p' has no domain 'd'; it has: development, e"),
    ],
)
def test_doctor_detects_a_project_or_domain_that_does_not_exist(
    projects: dict[str, list[str]], says: str, server: Server, env: Environment
) -> None:
    server.model.projects = projects
    done = run("flyte-sidecar", "doctor", *scoped_options(server.endpoint), env=env)
    assert (done.returncode, done.stderr) == (1, "")
    scope = read_report(done.stdout)["scope"]
    assert scope[:2] == ("FAILED", f"org none, project p, domain d: {says}")
    assert "--project" in scope.advice


def test_doctor_accepts_a_project_that_exists(server: Server, env: Environment) -> None:
    server.model.projects = {"p": ["d"]}
    done = run("flyte-sidecar", "doctor", *scoped_options(server.endpoint), env=env)
    assert done.returncode == 0
    assert read_report(done.stdout)["scope"].status == "ok"


def test_doctor_reports_that_requests_must_have_a_scope(server: Server, env: Environment) -> None:
    done = run("flyte-sidecar", *flyte_options(server.endpoint), "doctor", env=env)
    assert done.returncode == 0
    scope = read_report(done.stdout)["scope"]
    assert scope.status == "warning"
    assert "--project P --domain D" in scope.advice


def test_doctor_reports_an_unreachable_deployment(server: Server, env: Environment) -> None:
    server.stop()
    done = run("flyte-sidecar", "doctor", *scoped_options(server.endpoint), env=env)
    assert (done.returncode, done.stderr) == (1, "")
    checks = read_report(done.stdout)
    assert checks["connection"][:2] == ("FAILED", f"{server.endpoint} refuses connections")
    assert "check the port" in checks["connection"].advice
    assert checks["endpoint"].status == checks["login"].status == "skipped"


def test_doctor_suggests_insecure_for_a_deployment_without_tls(
    server: Server, env: Environment
) -> None:
    arguments = [option for option in scoped_options(server.endpoint) if option != "--insecure"]
    done = run("flyte-sidecar", "doctor", *arguments, env=env)
    assert (done.returncode, done.stderr) == (1, "")
    found = read_report(done.stdout)["TLS"]
    assert found[:2] == ("FAILED", "the server does not use TLS")
    assert "add --insecure" in found.advice


@OLD_AND_NEW
def test_call_sends_its_request_to_the_deployment(server: Server, env: Environment) -> None:
    server.model.ask(RUN, "deploy", "int", action="c1", **SCOPE)
    listed = call(server, env, "events.list", runName=RUN)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert [event["name"] for event in json.loads(listed.stdout)["events"]] == ["deploy"]
    signalled = call(server, env, "events.signal", runName=RUN, name="deploy", payload=2**60)
    assert (signalled.returncode, signalled.stderr) == (0, "")
    assert json.loads(signalled.stdout)["payload"] == str(2**60)
    waited = call(server, env, "events.wait", runName=RUN, actionName="c1")
    assert (waited.returncode, json.loads(waited.stdout)) == (0, json.loads(signalled.stdout))
    again = call(server, env, "events.signal", runName=RUN, name="deploy", payload=1)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("already_signalled: ")
    assert again.stderr.count("\n") == 1


def test_call_reports_an_unreachable_deployment(server: Server, env: Environment) -> None:
    server.stop()
    done = call(server, env, "events.get", runName=RUN, name="deploy")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"backend_unavailable: {server.endpoint} cannot be reached")
    assert done.stderr.count("\n") == 1
    status = call(server, env, "sidecar.status")
    assert (status.returncode, status.stderr) == (0, "")
    assert json.loads(status.stdout)["backend"]["healthy"] is False


@pytest.mark.parametrize("verb", [[], ["serve"], ["call", "sidecar.status"]])
@pytest.mark.parametrize("arguments", [[], ["--endpoint", ""], ["--endpoint", "http://host/path"]])
@pytest.mark.parametrize("chosen", ["option", "environment"])
def test_the_command_is_refused_without_a_valid_deployment(
    env: Environment, verb: list[str], arguments: list[str], chosen: str
) -> None:
    backend = ["--backend", "flyte"] if chosen == "option" else []
    more = {"FLYTE_SIDECAR_BACKEND": "flyte"} if chosen == "environment" else {}
    done = run("flyte-sidecar", *backend, *arguments, *verb, env={**env, **more}, input="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: flyte-sidecar" in done.stderr
    assert "endpoint" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_an_option_overrides_the_backend_of_the_environment(
    server: Server, env: Environment
) -> None:
    env = {**env, "FLYTE_SIDECAR_BACKEND": "flyte"}
    arguments = ("--endpoint", server.endpoint, "--insecure", "call", "sidecar.status")
    for more, kind in (((), "flyte"), (("--backend", "local"), "local")):
        done = run("flyte-sidecar", *more, *arguments, env=env)
        assert json.loads(done.stdout)["backend"]["kind"] == kind


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--endpoint", "localhost:1", "--insecure"],
    ],
)
def test_the_demo_shows_the_embedded_store_whatever_the_backend(
    env: Environment, arguments: list[str]
) -> None:
    done = run("flyte-sidecar", *arguments, "demo", env={**env, "FLYTE_SIDECAR_BACKEND": "flyte"})
    assert (done.returncode, done.stderr) == (0, "")
    assert '"kind":"local"' in done.stdout


# Python.

INIT = """
import asyncio, os, sys, threading
import flyte_sidecar
from flyte_sidecar import errors
from flyte_sidecar import Event

flyte_sidecar.init(backend="flyte", endpoint=sys.argv[1], insecure=True, project="p", domain="d")
"""


def script(text: str, server: Server) -> str:
    """Run a script on the deployment, and return its output; it must not fail."""
    with subprocess.Popen(
        [
            *(sys.executable, "-W", "ignore::DeprecationWarning", "-c"),
            *(INIT + textwrap.dedent(text), server.endpoint),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=TEST_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its children too
            raise
    assert (process.returncode, err) == (0, "")
    return out


@pytest.mark.posix
@OLD_AND_NEW
def test_python_gets_lists_signals_and_waits(server: Server) -> None:
    for number in range(5):
        server.model.ask(RUN, f"e{number}", "int", action=f"c{number}", **SCOPE)
    reported = script(
        """
        event = Event.get("e0", "r1")
        print(event.name, event.action_name, event.phase, event.expected_type.__name__)
        print(Event.get("nope", run_name="r1"), Event.get("e0", "r1", action_name="b1"))
        print([each.name for each in Event.listall(run_name="r1", limit=2)])
        event.signal(7)
        print(event.phase, event.wait())
        try:
            Event.get("e0", "r1").signal(8)
        except errors.AlreadySignalled as refused:
            print(refused.data["event"].payload)
        try:
            Event.create("e9", "r1")
        except errors.UnsupportedByBackend:
            print("unsupported")

        async def main():
            event = await Event.get.aio("e1", run_name="r1")
            waiting = asyncio.create_task(event.wait.aio())
            await (await Event.get.aio("e1", run_name="r1")).signal.aio(-1)
            print(await waiting, [each.name async for each in Event.listall.aio("r1", limit=2)])

        asyncio.run(main())
        """,
        server,
    )
    assert reported.splitlines() == [
        "e0 c0 PAUSED int",
        "None None",
        "['e0', 'e1', 'e2', 'e3', 'e4']",
        "SUCCEEDED 7",
        "7",
        "unsupported",
        "-1 ['e0', 'e1', 'e2', 'e3', 'e4']",
    ]
    assert server.model.action(RUN, "c0", **SCOPE).payload == 7


@pytest.mark.posix
def test_python_raises_for_an_unreachable_deployment(server: Server) -> None:
    server.stop()
    reported = script(
        """
        try:
            Event.get("e0", "r1")
        except errors.BackendUnavailable as refused:
            print(refused.retryable, refused.data["grpcStatus"])
        """,
        server,
    )
    assert reported == "True UNAVAILABLE\n"


@pytest.mark.posix
def test_a_script_that_closes_nothing_ends_quietly(server: Server) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    reported = script(
        """
        event = Event.get("deploy", "r1")

        def poll():
            while True:
                Event.get("deploy", "r1")

        for work in (event.wait, lambda: asyncio.run(event.wait.aio()), poll):
            threading.Thread(target=work, daemon=True).start()
        suspended = Event.listall("r1", limit=1)
        next(suspended)
        asyncio.run(Event.get.aio("deploy", "r1"))
        print("done")
        """,
        server,
    )
    assert reported == "done\n"


@pytest.mark.posix
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_and_its_parent_both_continue(server: Server) -> None:
    for number in range(3):
        server.model.ask(RUN, f"e{number}", action=f"c{number}", **SCOPE)
    reported = script(
        """
        from flyte_sidecar import _init

        asked, answers = Event.get("e0", "r1"), []
        thread = threading.Thread(target=lambda: answers.append(asked.wait()))
        thread.start()
        while not _init.shared_service._cancelled_by_pause:  # until the wait is open
            pass
        child = os.fork()
        if child == 0:
            Event.get("e1", "r1").signal(True)
            asyncio.run(Event.get("e2", "r1").signal.aio(False))
            print([each.phase for each in Event.listall("r1")], flush=True)
            sys.exit()
        Event.get("e0", "r1").signal(True)
        thread.join()
        print(os.waitpid(child, 0)[1], answers, Event.get("e2", "r1").wait(), flush=True)
        """,
        server,
    )
    first, last = reported.splitlines()
    assert first in (
        "['PAUSED', 'SUCCEEDED', 'SUCCEEDED']",
        "['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED']",
    )
    assert last == "0 [True] False"
