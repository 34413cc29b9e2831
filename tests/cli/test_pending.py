"""The verb `pending`: a table on a terminal, JSON lines in a pipe."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.cli.verbs import Environment, answer, ask, cells_of, edit_events
from tests.conftest import run
from tests.e2e.process import Process


def width(line: str) -> int:
    plain = re.sub(r"\x1b\[\d+m", "", line)
    wide = [unicodedata.east_asian_width(character) in "WF" for character in plain]
    return len(plain) + sum(wide)


@pytest.mark.posix
@pytest.mark.parametrize(
    ("columns", "shown"), [(40, (False, False)), (50, (True, False)), (80, (True, True))]
)
def test_the_table_fits_the_terminal_without_truncating_names(
    terminal: Any, other: Process, columns: int, shown: tuple[bool, bool]
) -> None:
    ask(other, "deploy-to-production", prompt="Deploy the model to production? " * 3)
    ask(
        other,
        "色を選んでください",
        run_name="青",
        expectedType="str",
        prompt="どの色がよいですか" * 5,
    )
    ask(other, "x", expiresInSeconds=4000, expectedType="float")
    lines = terminal("pending", columns=columns).lines()
    assert len(lines) == 4
    assert all(width(line) <= columns for line in lines), lines
    assert "deploy-to-production" in lines[1]  # names can be copied
    assert "色を選んでください" in lines[2]
    assert ("PROMPT" in lines[0], "EXPIRES" in lines[0]) == shown


def test_the_columns_of_the_table_are_aligned(env: Environment, other: Process) -> None:
    ask(other, "deploy", prompt="PLAIN")
    ask(other, "色を選ぶ", run_name="青い", expectedType="str", prompt="WIDE")
    ask(other, "e\u0301te\u0301", expectedType="float", expiresInSeconds=4000, prompt="COMBINED")
    lines = run("flyte-sidecar", "pending", env=env).stdout.splitlines()
    offset = lines[0].index("PROMPT")
    for line, word in zip(lines[1:], ("PLAIN", "WIDE", "COMBINED"), strict=True):
        before = unicodedata.normalize("NFC", line[: line.index(word)])
        assert width(before) == offset, line


def test_the_table_shows_age_and_expiry(env: Environment, other: Process) -> None:
    ask(other, prompt="Deploy?", expiresInSeconds=2 * 86400 + 3600)
    ask(other, "later", expectedType="int")
    headers, first, second = run("flyte-sidecar", "pending", env=env).stdout.splitlines()
    assert cells_of(headers) == ["RUN", "NAME", "TYPE", "AGE", "EXPIRES", "PROMPT"]
    cells = cells_of(first)
    assert cells[:3] == ["r", "deploy", "bool"]
    assert re.fullmatch(r"\d+[sm]", cells[3])
    assert cells[4:] == ["in 2d", "Deploy?"]
    assert cells_of(second)[4:] == ["never", "Approve?"]


def test_all_pages_of_pending_events_are_listed(env: Environment, other: Process) -> None:
    for number in range(1100):
        ask(other, f"n{number}", run_name=f"r{number % 7}")
    answer(other, True, "n5", "r5")
    lines = run("flyte-sidecar", "pending", env=env).stdout.splitlines()
    names = [cells_of(line)[1] for line in lines[1:]]
    assert len(set(names)) == len(names) == 1099
    json_lines = run("flyte-sidecar", "pending", "--json", env=env).stdout.splitlines()
    assert [json.loads(line)["name"] for line in json_lines] == [
        cells_of(line)[1] for line in lines[1:]
    ]


def test_pending_events_in_json_equal_those_of_a_listing(env: Environment, other: Process) -> None:
    event = ask(other, prompt="Deploy?")
    done = run("flyte-sidecar", "pending", "--json", env=env)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [event]


def test_stderr_says_that_there_are_no_pending_events(env: Environment) -> None:
    done = run("flyte-sidecar", "pending", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No pending events.\n")
    done = run("flyte-sidecar", "pending", "--json", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_project_option_selects_the_project(env: Environment, other: Process) -> None:
    ask(other, "elsewhere", project="p")
    ask(other, "here")
    done = run("flyte-sidecar", "pending", "--project", "p", env=env)
    assert "elsewhere" in done.stdout
    assert "here\n" not in done.stdout.replace("elsewhere", "")


def test_filters_select_the_events(env: Environment, other: Process, store: Path) -> None:
    for run_name, name in (("nightly-1", "deploy"), ("nightly-2", "rate"), ("weekly", "deploy")):
        ask(other, name, run_name=run_name)
    edit_events(store, createdAt="2026-01-01T00:00:00Z")
    ask(other, "deploy", run_name="nightly-3")

    def found(*options: str) -> list[list[str]]:
        lines = run("flyte-sidecar", "pending", *options, env=env).stdout.splitlines()
        return [cells_of(line)[:2] for line in lines[1:]]

    assert found("--run", "nightly-*", "--name", "d*") == [
        ["nightly-1", "deploy"],
        ["nightly-3", "deploy"],
    ]
    assert found("--older-than", "1h", "--name", "deploy") == [
        ["nightly-1", "deploy"],
        ["weekly", "deploy"],
    ]
    done = run("flyte-sidecar", "pending", "--name", "x", env=env)
    assert (done.returncode, done.stderr) == (0, "No pending events match.\n")
    done = run("flyte-sidecar", "pending", "--name", "rate", "--json", env=env)
    assert [json.loads(line)["name"] for line in done.stdout.splitlines()] == ["rate"]
