"""Sidecars that find a config file of Flyte, as users of the `flyte` command have it."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests.conftest import run
from tests.doctor_report import read_report
from tests.e2e.conftest import Spawn
from tests.e2e.deployment import RUN, SCOPE
from tests.e2e.process import kind
from tests.fake_runservice.server import Server

SECRET = "s3cret-7f3a"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with an empty folder `.flyte`."""
    (tmp_path / "home" / ".flyte").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    return tmp_path / "home"


@pytest.fixture
def env(home: Path, command: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in command.items() if name != "UCTL_CONFIG"}
    return {**kept, "HOME": str(home), "FLYTE_SIDECAR_BACKEND": "flyte"}


@pytest.fixture
def flyte_sidecar(env: dict[str, str], home: Path) -> Run:
    """Run the command in the current folder of the tests, `work`."""

    def flyte_sidecar(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**env, **more}
        return run("flyte-sidecar", *arguments, env=environment, cwd=home.parent / "work", input="")

    return flyte_sidecar


@pytest.fixture
def config(home: Path, server: Server) -> Path:
    """A config file for the deployment, as the `flyte` command writes it."""
    path = home / ".flyte" / "config.yaml"
    path.write_text(
        f"admin:\n  endpoint: dns:///{server.endpoint}\n  insecure: true\n"
        "task:\n  domain: d\n  project: p\n"
    )
    return path


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port to which nothing may connect during the test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener
        assert select.select([listener], [], [], 0)[0] == []


@pytest.mark.usefixtures("config")
def test_a_sidecar_without_options_uses_the_config_file(
    server: Server, env: dict[str, str], home: Path, spawn: Spawn
) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    sidecar = spawn(backend_options=(), env=env, cwd=home.parent / "work")
    backend = sidecar.call("initialize")["backend"]
    assert backend == {
        "kind": "flyte",
        "endpoint": server.endpoint,
        "org": None,
        "project": "p",
        "domain": "d",
    }
    assert [event["name"] for event in sidecar.call("events.pending")["events"]] == ["deploy"]
    sidecar.call("events.signal", runName=RUN, name="deploy", payload=True)
    sidecar.end_input()
    assert sidecar.status() == 0
    assert sidecar.stderr_text() == ""
    assert server.model.action(RUN, "c1", **SCOPE).payload is True


@pytest.mark.usefixtures("config")
def test_python_uses_the_config_file(server: Server, env: dict[str, str], home: Path) -> None:
    server.model.ask(RUN, "deploy", action="c1", **SCOPE)
    script = """
        import flyte_sidecar
        from flyte_sidecar import Condition, Event
        flyte_sidecar.init(backend="flyte")
        event = Condition.get("deploy", "r1")
        print(type(event) is Event, event.signal(True), event.wait())
        flyte_sidecar.init(backend="flyte", config="~/.flyte/config.yaml", project="q")
        print(Event.get("deploy", "r1"))
        try:
            flyte_sidecar.init(backend="flyte", config="missing.yaml")
        except ValueError as error:
            print(error)
    """
    work = home.parent / "work"
    done = run(sys.executable, "-c", textwrap.dedent(script), env=env, cwd=work)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "True None True",
        "None",
        f"{work}/missing.yaml: cannot be read: No such file or directory",
    ]


def test_the_backend_must_be_selected(
    listener: socket.socket, config: Path, flyte_sidecar: Run
) -> None:
    host, port = listener.getsockname()
    config.write_text(f"admin: {{endpoint: '{host}:{port}', insecure: true}}\n")
    status = flyte_sidecar("call", "sidecar.status", FLYTE_SIDECAR_BACKEND="")
    assert json.loads(status.stdout)["backend"]["kind"] == "local"


REPORT_OPENED = """
import atexit, json, sys
path, opened = sys.argv.pop(1), []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
atexit.register(lambda: open(path, "w").write(json.dumps([sorted(sys.modules), opened])))
from flyte_sidecar.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize("content", [None, "admin: {", "admin: {endpoint: h.example}"])
def test_the_embedded_store_imports_and_reads_none_of_it(
    content: str | None, env: dict[str, str], config: Path, spawn: Spawn, tmp_path: Path
) -> None:
    if content is None:
        config.unlink()
    else:
        config.write_text(content)
        (tmp_path / "work" / "config.yaml").write_text(content)
    variables = {"FLYTE_PROFILE": "x", "FLYTE_API_KEY": "x", "FLYTECTL_CONFIG": "/missing.yaml"}
    sidecar = spawn(
        command=[sys.executable, "-c", REPORT_OPENED, str(tmp_path / "report")],
        env={**env, **variables, "FLYTE_SIDECAR_BACKEND": ""},
        cwd=tmp_path / "work",
    )
    sidecar.request(0, "initialize", capabilities={})
    sidecar.request(1, "events.pending")
    assert {kind(sidecar.answer()) for _ in range(2)} == {"result"}
    sidecar.end_input()
    assert sidecar.status() == 0
    assert sidecar.stderr_text() == ""
    modules, opened = json.loads((tmp_path / "report").read_text())
    assert [
        name for name in modules if "flyte_sidecar.backends.flyte" in name or name == "yaml"
    ] == []
    assert [path for path in opened if "config.yaml" in path] == []


@pytest.mark.parametrize("verb", [[], ["call", "sidecar.status"]])
def test_a_broken_file_is_reported_at_the_start(
    verb: list[str], config: Path, flyte_sidecar: Run
) -> None:
    config.write_text("admin:\n  endpoint: h.example\n  insecure: maybe\n")
    done = flyte_sidecar(*verb)
    assert (done.returncode, done.stdout) == (2, "")
    message = f"{config}, line 3: `admin.insecure` must be true or false"
    assert done.stderr.endswith(f"error: {message}\n")
    done = flyte_sidecar("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    deployment = read_report(done.stdout)["deployment"]
    assert deployment[:2] == ("FAILED", message)
    assert "correct it" in deployment.advice


@pytest.mark.usefixtures("config")
def test_a_file_of_another_program_is_logged_at_info(home: Path, flyte_sidecar: Run) -> None:
    other = home.parent / "work" / "config.yaml"
    other.write_text("server: {port: 80}\n")
    done = flyte_sidecar("--log-level", "info", "serve")
    assert done.returncode == 0
    (line,) = [line for line in done.stderr.splitlines() if str(other) in line]
    assert " INFO " in line
    assert "config.yaml" not in flyte_sidecar("serve").stderr


def test_options_override_the_file(server: Server, config: Path, flyte_sidecar: Run) -> None:
    config.write_text("admin: {endpoint: h.example}\ntask: {project: p, domain: x}\n")
    options = ("--endpoint", server.endpoint, "--insecure", "--domain", "d")
    status = json.loads(flyte_sidecar(*options, "call", "sidecar.status").stdout)
    assert status["backend"]["healthy"] is True
    assert (status["backend"]["project"], status["backend"]["domain"]) == ("p", "d")


@pytest.mark.usefixtures("config")
def test_an_option_demands_tls(flyte_sidecar: Run) -> None:
    done = flyte_sidecar("--no-insecure", "doctor")
    assert read_report(done.stdout)["TLS"][:2] == ("FAILED", "the server does not use TLS")


def test_doctor_prints_each_value_with_its_source(
    server: Server, config: Path, home: Path, flyte_sidecar: Run
) -> None:
    other = home.parent / "work" / "config.yaml"
    other.write_text("server: {port: 80}\n")
    config.write_text(config.read_text() + "profiles:\n  x:\n    admin: {clientSecretEnvVar: S}\n")
    done = flyte_sidecar(
        "--org", "acme", "doctor", FLYTE_TASK_DOMAIN="dd", FLYTE_PROFILE="x", S=SECRET
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    checks = read_report(done.stdout)
    assert checks["config file"].detail == str(config)
    assert checks["not used"].detail.startswith(f"{other}: it has none of Flyte's keys")
    assert [line.partition("setting")[2].lstrip() for line in lines if " setting " in line] == [
        "profile: x (FLYTE_PROFILE)",
        f"admin.endpoint: dns:///{server.endpoint} ({config}, line 2)",
        f"admin.insecure: true ({config}, line 3)",
        "org: acme (option org)",
        f"task.project: p ({config}, line 6)",
        "task.domain: dd (FLYTE_TASK_DOMAIN)",
        f"admin.authType: ClientSecret (S ({config}, line 9))",
        f"client secret: *** (S ({config}, line 9))",
    ]
    assert SECRET not in done.stdout


@pytest.mark.usefixtures("config")
def test_doctor_detects_a_mistyped_project(server: Server, flyte_sidecar: Run) -> None:
    server.model.projects = {"p": ["d"]}
    assert flyte_sidecar("doctor").returncode == 0
    done = flyte_sidecar("doctor", FLYTE_TASK_PROJECT="pp")
    assert done.returncode == 1
    assert "project 'pp' does not exist" in read_report(done.stdout)["scope"].detail


def test_a_debug_log_contains_no_secret(
    listener: socket.socket, env: dict[str, str], config: Path, spawn: Spawn, tmp_path: Path
) -> None:
    host, port = listener.getsockname()
    (tmp_path / "secret").write_text(SECRET)
    config.write_text(
        f"admin:\n  endpoint: '{host}:{port}'\n  clientSecretLocation: {tmp_path}/secret\n"
        f"  command: [echo, {SECRET}]\n  httpProxyURL: http://u:{SECRET}@proxy:1\n"
        "task: {project: p, domain: d}\n"
    )
    sidecar = spawn("--log-level", "debug", backend_options=(), env=env, cwd=tmp_path / "work")
    sidecar.request(1, "events.pending")
    assert kind(sidecar.answer()) == "unauthenticated"
    sidecar.request(2, "events.watch", watch="w", runName="r")
    assert kind(sidecar.answer()) == "unauthenticated"

    sidecar.end_input()
    assert sidecar.status() == 0
    assert SECRET not in sidecar.stderr_text()


def test_the_default_login_is_tried_without_one(
    server: Server, config: Path, flyte_sidecar: Run
) -> None:
    """A deployment without an identity provider needs no login; another one says so."""
    config.write_text(config.read_text() + "  org:\n")
    assert json.loads(flyte_sidecar("call", "events.pending").stdout)["events"] == []
    server.faults.errors["ListRuns"] = (grpc.StatusCode.UNAUTHENTICATED, "no token")
    done = flyte_sidecar("call", "events.pending")
    assert done.stderr.startswith(f"unauthenticated: {server.endpoint}: authentication failed")


@pytest.mark.parametrize("verb", [[], ["call", "events.pending"], ["doctor"], ["login"]])
def test_the_config_of_a_cloned_repository_runs_no_program_and_gets_no_token(
    verb: list[str], listener: socket.socket, home: Path, flyte_sidecar: Run
) -> None:
    host, port = listener.getsockname()
    folder = home.parent / "work" / ".flyte"
    folder.mkdir()
    file, ran = folder / "config.yaml", folder / "ran"
    endpoint = f"  endpoint: '{host}:{port}'\n"
    file.write_text(f"admin:\n{endpoint}  authType: ExternalCommand\n  command: [touch, '{ran}']\n")
    done = flyte_sidecar(*verb)
    assert done.returncode == (1 if verb == ["doctor"] else 2)
    output = done.stdout + done.stderr
    assert f" {file}, line 4: `admin.command` is not accepted in a file" in output
    assert f"--config {file}" in output

    file.write_text(f"admin:\n{endpoint}  authType: Passthrough\n")
    done = flyte_sidecar(*verb, FLYTE_SIDECAR_AUTH_HEADERS=f"authorization: Bearer {SECRET}")
    assert done.returncode == (1 if verb == ["doctor"] else 2)
    output = done.stdout + done.stderr
    assert f" FLYTE_SIDECAR_AUTH_HEADERS: `headers` is not sent to {host}" in output
    assert SECRET not in output
    assert not ran.exists()
