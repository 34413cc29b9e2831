"""What completes the names of runs and events."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import flyte_sidecar
from flyte_sidecar.cli.completion import values
from flyte_sidecar.cli.verbs import completion
from flyte_sidecar.server.settings import Options

pytestmark = pytest.mark.posix


@pytest.fixture
def completed(store: Path, capfdbinary: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns what the verb prints for a line."""
    monkeypatch.setenv("FLYTE_SIDECAR_STORE", str(store))

    def completed(kind: str, line: str, shell: str = "zsh") -> list[str]:
        options = Options(store=str(store))
        assert completion.run(options, shell, kind, f"flyte-sidecar {line}", "") == 0
        output, errors = capfdbinary.readouterr()
        assert errors == b""
        return str(output.decode()).splitlines()

    return completed


def test_runs_that_wait_are_completed_and_all_runs_for_a_verb_that_reads(
    local: Any, completed: Any
) -> None:
    for run, name in (("r1", "deploy"), ("r2", "deploy"), ("other", "n")):
        local.create(name, run)
    local.create("done", "r3").signal(True)
    assert completed("runs", "call ") == ["other", "r1", "r2"]
    assert completed("runs", "call r") == ["r1", "r2"]
    assert completed("runs", "watch r") == ["r1", "r2", "r3"]
    assert completed("runs", "call zzz") == []


def test_names_and_ids_of_the_events_of_the_run_are_completed(local: Any, completed: Any) -> None:
    events = [local.create(name, "r 1") for name in ("deploy", "Deploy now", "debug")]
    local.create("done", "r 1").signal(True)
    local.create("else", "r2")
    assert completed("names", r"call r\ 1 ") == ["Deploy now", "debug", "deploy"]
    assert completed("names", "watch 'r 1' d") == ["debug", "deploy", "done"]
    assert completed("names", r"call r\ 1 D", "bash") == [r"Deploy\ now"]
    ids = sorted(event.action_name for event in events)
    assert completed("actions", r"call r\ 1 --action ") == ids
    assert completed("names", "call ") == completed("names", "call unknown ") == []


def test_names_that_a_shell_cannot_show_or_that_are_options_are_left_out(
    local: Any, completed: Any
) -> None:
    for name in ("x\u202ey", "--yes", "$(x) `y`"):
        local.create(name, "r")
    assert completed("names", "call r ") == ["$(x) `y`"]
    assert completed("names", "call r ", "bash") == [r"\$\(x\)\ \`y\`"]


def test_the_options_of_the_line_select_store_and_scope(
    local: Any, completed: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.create("deploy", "r")
    monkeypatch.setenv("FLYTE_SIDECAR_STORE", str(store.parent / "none.db"))
    assert completed("runs", "call ") == []
    assert completed("runs", f"--store={store} call ") == ["r"]
    assert completed("runs", f"--store={store} call --project p ") == []
    assert completed("runs", f"--store {store} --backend flyte call ") == []
    assert completed("runs", "--store :memory: call ") == []
    monkeypatch.setenv("FLYTE_SIDECAR_BACKEND", "flyte")
    assert completed("runs", f"--store={store} call ") == []
    assert completed("runs", f"--store={store} --backend all call ") == ["r"]


def test_a_store_that_does_not_exist_or_cannot_be_used_completes_nothing(
    completed: Any, store: Path
) -> None:
    assert completed("runs", "call ") == []
    assert not store.exists()
    store.write_text("my diary")
    assert completed("runs", "call ") == []


def test_the_process_ends_if_the_store_is_locked(
    local: Any, completed: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.create("deploy", "r")
    flyte_sidecar.init(store=store.parent / "closed.db")
    other = sqlite3.connect(store, isolation_level=None, check_same_thread=False)
    with closing(other):
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        statuses = []

        def record(status: int) -> None:
            statuses.append(status)
            other.close()

        monkeypatch.setattr(values, "READ_TIMEOUT", 0.01)
        monkeypatch.setattr(os, "_exit", record)
        assert completed("runs", "call ") == ["r"]  # the process would have ended
        assert statuses == [0]


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_the_script_of_a_shell_is_printed(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert completion.run(Options(store=os.devnull), shell, None, "", "") == 0
    assert "--values" in capfd.readouterr().out
