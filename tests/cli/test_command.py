"""The command as a person uses it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.conftest import run
from tests.doctor_report import read_report

Environment = dict[str, str]


def test_call_prints_a_result_that_a_person_can_read(command: Environment) -> None:
    done = run("flyte-sidecar", "call", "events.create", '{"runName":"r","name":"n"}', env=command)
    assert done.returncode == 0
    assert done.stderr == ""
    assert json.loads(done.stdout)["phase"] == "PAUSED"
    assert done.stdout.startswith('{\n  "name": "n",\n')


def test_call_reads_params_from_stdin_over_several_lines(command: Environment) -> None:
    params = '{\n  "runName": "r",\n  "name": "ü"\n}\n'
    done = run("flyte-sidecar", "call", "events.create", "-", env=command, input=params)
    assert json.loads(done.stdout)["name"] == "ü"


def test_call_exits_with_1_and_prints_kind_and_message_of_an_error(command: Environment) -> None:
    done = run("flyte-sidecar", "call", "events.get", '{"runName":"r","nam":"n"}', env=command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "invalid_params: unknown param 'nam'; did you mean 'name'?\n"


@pytest.mark.parametrize("params", ["{", '{"runName":"r"}, "method":"x"', "\\", "[" * 100_000])
def test_call_rejects_params_that_are_not_json(params: str, command: Environment) -> None:
    done = run("flyte-sidecar", "call", "events.get", "-", env=command, input=params)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("parse_error: the params are not JSON")
    assert done.stderr.count("\n") == 1


def test_call_keeps_numbers_exact(command: Environment) -> None:
    create = '{"runName":"r","name":"n","expectedType":"int"}'
    run("flyte-sidecar", "call", "events.create", create, env=command)
    signal = f'{{"runName":"r","name":"n","payload":{2**63 - 1}}}'
    done = run("flyte-sidecar", "call", "events.signal", signal, env=command)
    assert f'"payload": "{2**63 - 1}"' in done.stdout


def test_call_ignores_the_notifications_before_the_response(
    command: Environment,
) -> None:
    run("flyte-sidecar", "call", "events.create", '{"runName":"r","name":"n"}', env=command)
    watch = '{"watch":"w","runName":"r","timeoutSeconds":0.2}'
    done = run("flyte-sidecar", "call", "events.watch", watch, env=command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("deadline_exceeded: ")


def test_an_error_message_is_sanitized_for_the_terminal(command: Environment) -> None:
    signal = json.dumps({"runName": "r", "name": "\x1b[2Jn", "payload": True})
    done = run("flyte-sidecar", "call", "events.signal", signal, env=command)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr


def test_options_are_accepted_before_and_after_the_verb(
    tmp_path: Path, command: Environment
) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    status = ("call", "events.list", '{"runName":"r"}')
    assert run("flyte-sidecar", "--store", here, *status, env=command).returncode == 0
    assert run("flyte-sidecar", *status, "--store", there, env=command).returncode == 0
    assert here.exists()
    assert there.exists()


def test_options_set_the_default_scope_of_requests(command: Environment) -> None:
    arguments = ("--org", "o", "--project", "p", "--domain", "d", "call", "events.create")
    done = run("flyte-sidecar", *arguments, '{"runName":"r","name":"n"}', env=command)
    event = json.loads(done.stdout)
    assert (event["org"], event["project"], event["domain"]) == ("o", "p", "d")


def test_the_default_store_is_private_and_in_the_home_folder(
    tmp_path: Path, command: Environment
) -> None:
    env = {name: value for name, value in command.items() if not name.startswith("XDG_")}
    del env["FLYTE_SIDECAR_STORE"]
    env["HOME"] = str(tmp_path)
    done = run("flyte-sidecar", "call", "events.list", '{"runName":"r"}', env=env)
    assert done.returncode == 0, done.stderr
    (found,) = tmp_path.rglob("events.db")
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700


def test_doctor_creates_no_store_and_succeeds_if_all_works(
    command: Environment, store: Path
) -> None:
    done = run("flyte-sidecar", "doctor", env=command)
    assert done.returncode == 0
    checks = read_report(done.stdout)
    assert checks["store"].detail.startswith(f"{store} (FLYTE_SIDECAR_STORE): it will be created")
    assert not store.exists()
    run("flyte-sidecar", "call", "events.list", '{"runName":"r"}', env=command)
    assert run("flyte-sidecar", "doctor", env=command).returncode == 0


def test_doctor_prints_what_is_wrong_with_the_store(command: Environment, store: Path) -> None:
    store.write_text("my diary")
    done = run("flyte-sidecar", "doctor", env=command)
    assert done.returncode == 1
    assert "is not a flyte-sidecar store" in done.stdout
    assert store.read_text() == "my diary"
    assert os.listdir(store.parent) == [store.name]


def test_doctor_checks_the_store_also_without_the_deployment_of_both_backends(
    command: Environment, store: Path, tmp_path: Path
) -> None:
    env = {**command, "HOME": str(tmp_path), "FLYTE_SIDECAR_BACKEND": "all"}
    done = run("flyte-sidecar", "doctor", env=env, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    checks = read_report(done.stdout)
    assert checks["backend"].detail == "all (selected by FLYTE_SIDECAR_BACKEND)"
    deployment = checks["deployment"]
    assert deployment.status == "FAILED"
    assert deployment.detail.startswith("a Flyte deployment (backend flyte or all) requires")
    assert "in the option --endpoint (" in deployment.detail
    assert "flyte create config" in deployment.advice
    assert checks["store"].status == "ok"
    done = run("flyte-sidecar", "pending", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {deployment.detail}\n" in done.stderr


URLS = [":memory:", "file:x.db", "file::memory:?cache=shared", "sqlite:x.db", "sqlite:///x.db"]
URLS += ["sqlite+pysqlite:///x.db", "SQLite://x", "FILE:///x.db", "https://host/x.db"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_store_that_is_not_a_path_is_rejected_and_creates_no_file(
    url: str, where: str, tmp_path: Path, command: Environment
) -> None:
    arguments = ["--store", url] if where == "option" else []
    env = {**command, "FLYTE_SIDECAR_STORE": url}
    done = run("flyte-sidecar", *arguments, "call", "sidecar.status", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"the store must be a path of a file, not a URL or :memory: ({url!r}" in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_file_name_may_look_like_a_url(tmp_path: Path, command: Environment) -> None:
    arguments = ("--store", "./file:x", "call", "events.list", '{"runName":"r"}')
    assert run("flyte-sidecar", *arguments, env=command, cwd=tmp_path).returncode == 0
    assert "file:x" in os.listdir(tmp_path)


@pytest.mark.posix
def test_doctor_rejects_a_store_in_a_folder_that_others_can_write(
    tmp_path: Path, command: Environment
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    done = run("flyte-sidecar", "doctor", "--store", folder / "events.db", env=command)
    assert done.returncode == 1
    assert "is not safe to use" in done.stdout


def test_version_and_help_are_printed(command: Environment) -> None:
    assert run("flyte-sidecar", "--version", env=command).stdout.startswith("flyte-sidecar 0.")
    printed = run("flyte-sidecar", "--help", env=command).stdout
    verbs = ("serve", "call", "watch", "pending", "demo", "doctor", "login", "logout")
    for word in (*verbs, "--store", "--framing", "examples"):
        assert word in printed
    for verb in ("watch", "pending"):
        assert "--json" in run("flyte-sidecar", verb, "--help", env=command).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["no-such-verb"],
        ["--framing", "carrier-pigeon"],
        ["--max-message-bytes", "0"],
        ["--parent-pid", "x"],
        ["--backend", "x"],
        ["call"],
    ],
)
def test_invalid_arguments_exit_with_2(arguments: list[str], command: Environment) -> None:
    done = run("flyte-sidecar", *arguments, env=command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: flyte-sidecar" in done.stderr


def test_an_unknown_backend_in_the_environment_is_rejected(command: Environment) -> None:
    done = run("flyte-sidecar", env={**command, "FLYTE_SIDECAR_BACKEND": "x"}, input="")
    assert done.returncode == 2
    assert "FLYTE_SIDECAR_BACKEND" in done.stderr


def test_python_m_flyte_sidecar_is_the_command(command: Environment) -> None:
    assert run("python", "-m", "flyte_sidecar", "--version", env=command).returncode == 0


def test_modules_in_the_current_folder_are_not_imported(
    tmp_path: Path, command: Environment
) -> None:
    for name in ("flyte_sidecar", "msgspec"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('run')")
    assert run("flyte-sidecar", "demo", env=command, cwd=tmp_path).returncode == 0


@pytest.mark.posix
@pytest.mark.parametrize(
    "arguments",
    [["demo"], ["call", "sidecar.status"], ["doctor"], ["pending"], ["watch", "--json"]],
)
def test_a_verb_whose_output_cannot_be_written_ends_without_a_traceback(
    arguments: list[str], command: Environment
) -> None:
    with open("/dev/full", "wb") as full:
        options = {"capture_output": False, "stdout": full, "stderr": subprocess.PIPE}
        done = run("flyte-sidecar", *arguments, env=command, **options)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


@pytest.mark.posix
def test_a_deleted_current_folder_is_a_one_line_error(tmp_path: Path, command: Environment) -> None:
    (tmp_path / "gone").mkdir()
    script = "cd gone && rmdir ../gone && exec flyte-sidecar --store x.db call sidecar.status"
    done = run("sh", "-c", script, env=command, cwd=tmp_path)
    assert done.returncode == 2
    assert "cannot find a path for the store" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_shows_both_processes_and_succeeds(command: Environment) -> None:
    done = run("flyte-sidecar", "demo", env=command)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for text in ("run    ->", "editor <-", '"events.wait"', "already_signalled", '"payload":0.75'):
        assert text in done.stdout
    places = [
        done.stdout.index(text)
        for text in ('"events.watch"', '"events.synced"', '"created"', '"resolved"', '"cancelled"')
    ]
    assert places == sorted(places)
    assert "\x1b" not in done.stdout
