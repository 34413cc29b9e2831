"""The verb `conformance`: what it prints, and its exit status."""

from __future__ import annotations

import json
import re
import sys
from subprocess import CompletedProcess

import pytest

from flyte_sidecar.conformance.checks import CHECKS
from flyte_sidecar.conformance.transcripts import TRANSCRIPTS
from tests.conformance.test_checks import SERVER
from tests.conftest import run

CALL = ("--call", "echo", "{}")


def conformance(
    env: dict[str, str], *arguments: str, framing: str = "line", fault: str = ""
) -> CompletedProcess[str]:
    server = (sys.executable, "-I", "-S", SERVER, framing, fault)
    return run("flyte-sidecar", "conformance", *arguments, "--", *server, env=env)


def test_each_check_is_a_row_and_the_status_is_0_if_no_must_fails(command: dict[str, str]) -> None:
    done = conformance(command, "--only", "requests", fault="wrong-version")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["RESULT", "CHECK", "RULE"]
    assert lines[1].split(maxsplit=2) == ["skip", "requests/result", "needs --call"]
    start = next(number for number, line in enumerate(lines) if "wrong-version" in line)
    assert lines[start : start + 4] == [
        'fail    requests/wrong-version     "jsonrpc": "3.0" and "jsonrpc": 2.0 get -326…',
        '        expected the error -32600 with id null or "id-1", got',
        '        {"jsonrpc":"2.0","id":"id-1","error":{"code":-32601,"message":"failed"}}',
        '        rule: "jsonrpc": "3.0" and "jsonrpc": 2.0 get -32600 (should; JSON-RPC',
    ]
    assert lines[-1] == "16 passed, 1 failed, 2 skipped."


def test_the_status_is_1_if_a_must_fails_and_output_is_escaped(command: dict[str, str]) -> None:
    arguments = ("--only", "output", *CALL)
    done = conformance(command, *arguments, fault="only-messages", framing="header")
    assert done.returncode == 1
    assert "FAIL    output/only-messages" in done.stdout
    assert r"\x1b[2Kready\r\n\r\n" in done.stdout
    assert "\x1b" not in done.stdout


def test_what_was_sent_and_received_is_shown(command: dict[str, str]) -> None:
    arguments = ("--only", "requests/result", "--verbose", *CALL)
    text = conformance(command, *arguments, fault="result").stdout
    _, sent, received = re.split(r"^ {8}(?:->|<-) ", text, flags=re.MULTILINE)
    assert sent.strip() == r'{"jsonrpc":"2.0","id":"id-1","method":"echo","params":{}}\n'
    assert received.startswith('{"jsonrpc": "2.0", "id": "id-1",')


def test_results_are_printed_as_json_with_the_evidence(command: dict[str, str]) -> None:
    done = conformance(command, "--json", "--only", "requests/result", *CALL, fault="result")
    [result] = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    members = ("check", "level", "outcome", "source")
    assert [result[name] for name in members] == ["requests/result", "must", "fail", "JSON-RPC 5"]
    assert [entry["direction"] for entry in result["evidence"]] == ["sent", "received"]


def test_with_the_methods_of_the_server_nothing_is_skipped(command: dict[str, str]) -> None:
    methods = (*CALL, "--invalid", "echo", '{"bad":1}', "--slow", "slow", "{}")
    checks = ("requests/result", "requests/invalid-params", "cancellation/response")
    only = [argument for check in checks for argument in ("--only", check)]
    done = conformance(command, *methods, *only)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 passed.")


def test_the_server_is_cancelled_by_a_notification_of_its_own(command: dict[str, str]) -> None:
    options = ("--slow", "slow", "{}", "--cancel", "stop", "--timeout", "1s", "--json")
    done = conformance(command, *options, "--only", "cancellation/response")
    result = json.loads(done.stdout)
    assert '"method":"stop"' in result["evidence"][-1]["text"]
    assert result["detail"].endswith("is not answered within 1 s")


def test_a_language_server_is_initialized_and_has_no_batches(command: dict[str, str]) -> None:
    only = ("--only", "lsp/exit", "--only", "batches/empty")
    done = conformance(command, "--lsp", *only, framing="header")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 passed, 1 not applicable.")


def test_all_checks_are_listed(command: dict[str, str]) -> None:
    done = run("flyte-sidecar", "conformance", "--list", env=command)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == [c.id for c in CHECKS]


def test_the_recorded_conversations_are_checks_too(command: dict[str, str]) -> None:
    done = run("flyte-sidecar", "conformance", "--transcripts", "--list", env=command)
    expected = [f"sidecar/{path.stem}" for path in sorted(TRANSCRIPTS.glob("*.jsonl"))]
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a command is required: flyte-sidecar conformance -- CMD"),
        (["--only", "id", "--", "true"], "--only: no group or check 'id' (groups: requests, ids,"),
        (["--call", "echo", "1", "--", "true"], "--call: the params must be a JSON array or obj"),
        (["--", "/no/such/command"], "cannot be started: /no/such/command: No such file"),
        (["--", "true"], "the server exits with status 0, and does not respond; stderr: nothing"),
        (["--framing", "line", "--", "true"], "the server has exited with status 0; stderr: no"),
    ],
)
def test_what_cannot_be_tested_is_a_usage_error(
    command: dict[str, str], arguments: list[str], message: str
) -> None:
    done = run("flyte-sidecar", "conformance", *arguments, env=command)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
