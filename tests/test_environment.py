"""The command in unusual environments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import run

if sys.platform != "win32":
    import pty

Environment = dict[str, str]

LATIN_1 = os.fsdecode(b"caf\xe9")
CREATE = '{"runName":"r","name":"n"}'
SIGNAL = '{"runName":"r","name":"n","payload":true}'


NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")


@pytest.mark.parametrize("variable", NAMES)
def test_a_user_whose_name_is_not_utf_8_can_signal(variable: str, command: Environment) -> None:
    env = {name: value for name, value in command.items() if name not in NAMES}
    env[variable] = LATIN_1
    run("flyte-sidecar", "call", "events.create", CREATE, env=env)
    done = run("flyte-sidecar", "call", "events.signal", SIGNAL, env=env)
    assert json.loads(done.stdout)["signalledBy"] == r"caf\xe9"
    assert r"caf\xe9" in run("flyte-sidecar", "doctor", env=env).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--project", LATIN_1],
        ["--domain", LATIN_1],
        ["--org", LATIN_1],
        ["--store", LATIN_1],
        ["--log-file", LATIN_1],
        ["--backend", LATIN_1],
        ["--backend", "flyte", "--endpoint", LATIN_1],
        ["--backend", "flyte", "--endpoint", "h", "--ca-cert-file", LATIN_1],
        ["call", LATIN_1],
        ["call", "events.get", LATIN_1],
        ["watch", LATIN_1],
        ["--" + LATIN_1],
        [LATIN_1],
    ],
)
def test_an_argument_that_is_not_utf_8_is_rejected_with_status_2(
    arguments: list[str], command: Environment, tmp_path: Path
) -> None:
    done = run("flyte-sidecar", *arguments, env=command, input="", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert r"caf\udce9" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("variable", "arguments"),
    [
        ("FLYTE_SIDECAR_STORE", []),
        ("FLYTE_SIDECAR_BACKEND", []),
        ("HOME", []),
        ("XDG_STATE_HOME", []),
        ("cwd", ["--store", "events.db"]),
        ("TMPDIR", ["demo"]),
    ],
)
def test_an_environment_that_is_not_utf_8_works_or_is_rejected_with_status_2(
    variable: str, arguments: list[str], command: Environment, tmp_path: Path
) -> None:
    folder = tmp_path / LATIN_1
    folder.mkdir()
    env = {name: value for name, value in command.items() if not name.startswith("XDG_")}
    if variable in ("HOME", "XDG_STATE_HOME"):
        del env["FLYTE_SIDECAR_STORE"]
    env[variable] = str(folder) if variable != "FLYTE_SIDECAR_BACKEND" else LATIN_1
    request = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}\n'
    done = run("flyte-sidecar", *arguments, env=env, input=request, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert r"caf\udce9" in done.stderr
    assert "Traceback" not in done.stderr
    elsewhere = run(
        "flyte-sidecar", "--store", tmp_path / "x.db", "--backend", "local", env=env, input=request
    )
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert "result" in json.loads(elsewhere.stdout)


def test_arguments_are_utf_8_in_any_locale(command: Environment) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    create = json.dumps({"runName": "r", "name": "é日"}, ensure_ascii=False)
    arguments = ["flyte-sidecar", "--project", "ü", "call", "events.create", create]
    done = run(*arguments, env={**command, **ascii_only})
    event = json.loads(done.stdout)
    assert (event["project"], event["name"]) == ("ü", "é日")


def test_a_tilde_is_expanded_in_every_option_for_a_path(
    command: Environment, tmp_path: Path
) -> None:
    env = {**command, "HOME": str(tmp_path)}
    arguments = [
        "--store",
        "~/s.db",
        "--log-file",
        "~/log",
        "--log-level",
        "debug",
        "--parent-pid",
        "1",
    ]
    assert run("flyte-sidecar", *arguments, env=env, input="").returncode == 0
    assert run("flyte-sidecar", "schema", "--out", "~/out", env=env).returncode == 0
    env["FLYTE_SIDECAR_STORE"] = "~/t.db"
    assert run("flyte-sidecar", "call", "events.list", '{"runName":"r"}', env=env).returncode == 0
    ca = ["--backend", "flyte", "--endpoint", "localhost:1", "--ca-cert-file", "~/ca"]
    assert f"{tmp_path}/ca" in run("flyte-sidecar", *ca, "doctor", env=env).stdout
    created = {"log", "out", "t.db"}
    assert created <= set(os.listdir(tmp_path))


@pytest.mark.parametrize("option", ["--store", "--log-file", "--ca-cert-file"])
def test_an_unknown_home_folder_is_rejected_and_no_folder_named_tilde_is_created(
    option: str, command: Environment, tmp_path: Path
) -> None:
    arguments = ["flyte-sidecar", option, "~nobody-of-that-name/x", "call", "sidecar.status"]
    done = run(*arguments, env=command, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "home folder" in done.stderr
    assert os.listdir(tmp_path) == []


HOMELESS = """
import pwd, sys
def unknown(user):
    raise KeyError(user)
pwd.getpwuid = unknown
from flyte_sidecar.cli.main import main
sys.exit(main())
"""


def test_without_a_home_folder_the_store_option_is_required(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    for name in ("FLYTE_SIDECAR_STORE", "HOME"):
        env.pop(name, None)
    arguments = [sys.executable, "-c", HOMELESS, "call", "sidecar.status"]
    done = run(*arguments, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pass an absolute path as --store" in done.stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.posix
def test_a_sigint_that_is_ignored_at_the_start_stays_ignored(command: Environment) -> None:
    """A shell starts background jobs with SIGINT ignored, so that Ctrl-C does not end them."""
    process = subprocess.Popen(
        ["sh", "-c", "trap '' INT; exec flyte-sidecar"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=command,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(20):
        process.stdin.write(b'{"jsonrpc":"2.0","id":%d,"method":"sidecar.status"}\n' % number)
        process.stdin.flush()
        response = json.loads(process.stdout.readline())
        assert (response["id"], "result" in response) == (number, True)
        process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0


@pytest.mark.posix
@pytest.mark.parametrize("arguments", [["call", "sidecar.status"], ["--version"], ["call"], []])
def test_pythoninspect_does_not_keep_the_process_alive(
    arguments: list[str], command: Environment
) -> None:
    master, slave = pty.openpty()
    plain = run("flyte-sidecar", *arguments, env=command, input="")
    process = subprocess.Popen(
        ["flyte-sidecar", *arguments],
        stdin=slave if arguments else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**command, "PYTHONINSPECT": "1"},
        text=True,
    )
    output, errors = process.communicate()
    for end in (master, slave):
        os.close(end)
    assert process.returncode == plain.returncode
    assert output.splitlines()[:1] == plain.stdout.splitlines()[:1]
    assert errors == plain.stderr


@pytest.mark.posix
@pytest.mark.parametrize("zone", ["A24", "X-167", "AAA-24:59:59", ":/etc/passwd", "No/Where", ""])
@pytest.mark.parametrize("verb", ["watch", "pending"])
def test_times_are_printed_in_any_time_zone(zone: str, verb: str, command: Environment) -> None:
    env = {**command, "TZ": zone}
    assert run("flyte-sidecar", "call", "events.create", CREATE, env=env).returncode == 0
    process = subprocess.Popen(
        ["flyte-sidecar", verb], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, text=True
    )
    assert process.stdout is not None
    while "PAUSED" not in (line := process.stdout.readline()) and " n " not in line:
        assert line, process.communicate()
    process.terminate()
    process.communicate()


def test_call_accepts_params_with_a_byte_order_mark(command: Environment) -> None:
    params = b"\xef\xbb\xbf" + CREATE.encode()
    arguments = ["flyte-sidecar", "call", "events.create", "-"]
    done = run(*arguments, env=command, input=params, text=False)
    assert done.returncode == 0, done.stderr
