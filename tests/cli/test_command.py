"""The command as a person uses it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.conftest import run

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


def test_call_exits_with_1_and_tells_kind_and_message(command: Environment) -> None:
    done = run("flyte-sidecar", "call", "events.get", '{"runName":"r","nam":"n"}', env=command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "invalid_params: unknown param 'nam'; did you mean 'name'?\n"


@pytest.mark.parametrize("params", ["{", '{"runName":"r"}, "method":"x"', "\\", "[" * 100_000])
def test_call_refuses_params_that_are_no_json(params: str, command: Environment) -> None:
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


def test_call_prints_the_result_of_a_request_that_tells_other_things_first(
    command: Environment,
) -> None:
    run("flyte-sidecar", "call", "events.create", '{"runName":"r","name":"n"}', env=command)
    watch = '{"watch":"w","runName":"r","timeoutSeconds":0.2}'
    done = run("flyte-sidecar", "call", "events.watch", watch, env=command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("deadline_exceeded: ")


def test_what_an_error_says_can_do_a_terminal_no_harm(command: Environment) -> None:
    signal = json.dumps({"runName": "r", "name": "\x1b[2Jn", "payload": True})
    done = run("flyte-sidecar", "call", "events.signal", signal, env=command)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr


def test_options_may_stand_before_and_after_the_verb(tmp_path: Path, command: Environment) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    status = ("call", "events.list", '{"runName":"r"}')
    assert run("flyte-sidecar", "--store", here, *status, env=command).returncode == 0
    assert run("flyte-sidecar", *status, "--store", there, env=command).returncode == 0
    assert here.exists()
    assert there.exists()


def test_the_scope_that_requests_have_by_default_can_be_chosen(command: Environment) -> None:
    words = ("--org", "o", "--project", "p", "--domain", "d", "call", "events.create")
    done = run("flyte-sidecar", *words, '{"runName":"r","name":"n"}', env=command)
    event = json.loads(done.stdout)
    assert (event["org"], event["project"], event["domain"]) == ("o", "p", "d")


def test_without_a_choice_the_store_is_private_and_in_the_home_folder(
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


def test_doctor_changes_nothing_and_tells_that_all_works(command: Environment, store: Path) -> None:
    done = run("flyte-sidecar", "doctor", env=command)
    assert done.returncode == 0
    assert str(store) in done.stdout
    assert "everything works" in done.stdout
    assert not store.exists()
    run("flyte-sidecar", "call", "events.list", '{"runName":"r"}', env=command)
    assert run("flyte-sidecar", "doctor", env=command).returncode == 0


def test_doctor_tells_what_is_wrong_with_the_store(command: Environment, store: Path) -> None:
    store.write_text("my diary")
    done = run("flyte-sidecar", "doctor", env=command)
    assert done.returncode == 1
    assert "is not a flyte-sidecar store" in done.stdout
    assert store.read_text() == "my diary"
    assert os.listdir(store.parent) == [store.name]


URLS = [":memory:", "file:x.db", "file::memory:?cache=shared", "sqlite:x.db", "sqlite:///x.db"]
URLS += ["sqlite+pysqlite:///x.db", "SQLite://x", "FILE:///x.db", "https://host/x.db"]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("where", ["option", "environment"])
def test_a_store_that_is_no_path_is_refused_and_makes_no_file(
    url: str, where: str, tmp_path: Path, command: Environment
) -> None:
    words = ["--store", url] if where == "option" else []
    env = {**command, "FLYTE_SIDECAR_STORE": url}
    done = run("flyte-sidecar", *words, "call", "sidecar.status", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"the store must be a path of a file, not a URL or :memory: ({url!r}" in done.stderr
    assert os.listdir(tmp_path) == []


def test_a_file_may_be_called_like_a_url(tmp_path: Path, command: Environment) -> None:
    words = ("--store", "./file:x", "call", "events.list", '{"runName":"r"}')
    assert run("flyte-sidecar", *words, env=command, cwd=tmp_path).returncode == 0
    assert "file:x" in os.listdir(tmp_path)


def test_doctor_tells_that_no_store_can_be_made_in_an_open_folder(
    tmp_path: Path, command: Environment
) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    done = run("flyte-sidecar", "doctor", "--store", folder / "events.db", env=command)
    assert done.returncode == 1
    assert "is not safe to use" in done.stdout


def test_version_and_help_help(command: Environment) -> None:
    assert run("flyte-sidecar", "--version", env=command).stdout.startswith("flyte-sidecar 0.")
    told = run("flyte-sidecar", "--help", env=command).stdout
    verbs = ("serve", "call", "watch", "pending", "demo", "doctor")
    for word in (*verbs, "--store", "--framing", "examples"):
        assert word in told
    for verb in ("watch", "pending"):
        assert "--json" in run("flyte-sidecar", verb, "--help", env=command).stdout


@pytest.mark.parametrize(
    "words",
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
def test_words_that_mean_nothing_are_refused_with_2(words: list[str], command: Environment) -> None:
    done = run("flyte-sidecar", *words, env=command)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: flyte-sidecar" in done.stderr


def test_a_backend_of_the_environment_that_does_not_exist_is_refused(command: Environment) -> None:
    done = run("flyte-sidecar", env={**command, "FLYTE_SIDECAR_BACKEND": "x"}, input="")
    assert done.returncode == 2
    assert "FLYTE_SIDECAR_BACKEND" in done.stderr


def test_python_m_flyte_sidecar_is_the_command(command: Environment) -> None:
    assert run("python", "-m", "flyte_sidecar", "--version", env=command).returncode == 0


def test_no_module_of_the_current_folder_is_run(tmp_path: Path, command: Environment) -> None:
    for name in ("flyte_sidecar", "msgspec"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('run')")
    assert run("flyte-sidecar", "demo", env=command, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "words", [["demo"], ["call", "sidecar.status"], ["doctor"], ["pending"], ["watch", "--json"]]
)
def test_a_verb_whose_output_cannot_be_written_ends_without_a_traceback(
    words: list[str], command: Environment
) -> None:
    with open("/dev/full", "wb") as full:
        how = {"capture_output": False, "stdout": full, "stderr": subprocess.PIPE}
        done = run("flyte-sidecar", *words, env=command, **how)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_gone_is_told_in_one_sentence(
    tmp_path: Path, command: Environment
) -> None:
    (tmp_path / "gone").mkdir()
    words = "cd gone && rmdir ../gone && exec flyte-sidecar --store x.db call sidecar.status"
    done = run("sh", "-c", words, env=command, cwd=tmp_path)
    assert done.returncode == 2
    assert "no place for the store" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_shows_both_processes_and_ends_well(command: Environment) -> None:
    done = run("flyte-sidecar", "demo", env=command)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in ("run    ->", "editor <-", '"events.wait"', "already_signalled", '"payload":0.75'):
        assert words in done.stdout
    places = [
        done.stdout.index(words)
        for words in ('"events.watch"', '"events.synced"', '"created"', '"resolved"', '"cancelled"')
    ]
    assert places == sorted(places)
    assert "\x1b" not in done.stdout
