"""The verbs, on standard streams in any state."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import run

pytestmark = pytest.mark.posix

Environment = dict[str, str]

VERBS = ["call events.list -", "pending", "watch r", "schema", "doctor", "demo", "--help"]
PARAMS = '{"runName": "r"}'
UNSAFE = "a\x7f\x9b2J\u200f\u061c\u2028\u202e\U000e0041\xad\ufeffz"
"""Controls, bidirectional overrides, invisible characters and a line separator."""

SAFE = "é\u3000日本\u200d😀\ufe0f"


def shell(arguments: str, env: Environment, **options: object) -> subprocess.CompletedProcess[str]:
    return run("sh", "-c", arguments, env=env, **{"input": PARAMS, **options})


def ask(command: Environment, **members: object) -> None:
    params = json.dumps({"runName": "r", **members})
    assert run("flyte-sidecar", "call", "events.create", params, env=command).returncode == 0


@pytest.mark.parametrize("verb", ["call", "call x y z", "--nope", "no-verb", "watch --framing x"])
def test_with_stderr_closed_a_usage_error_is_not_printed_on_stdout(
    verb: str, command: Environment
) -> None:
    done = shell(f"exec flyte-sidecar {verb} 2>&-", command)
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("verb", ["call events.get {", "call no.method", "--store . pending"])
def test_with_stderr_closed_an_error_is_not_printed_on_stdout(
    verb: str, command: Environment
) -> None:
    done = shell(f"exec flyte-sidecar {verb} 2>&-", command)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("verb", VERBS)
def test_with_stdout_closed_a_verb_prints_a_one_line_error(verb: str, command: Environment) -> None:
    done = shell(f"exec flyte-sidecar {verb} >&-", command)
    assert (done.returncode, done.stderr) == (1, "flyte-sidecar: stdout is closed\n")


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_under_stdout_is_a_one_line_error(verb: str, command: Environment) -> None:
    ask(command, name="n")
    done = shell(f"exec flyte-sidecar {verb} >/dev/full", command)
    assert done.returncode == 1
    assert done.stderr.startswith("flyte-sidecar: ")
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", [verb for verb in VERBS if not verb.startswith("watch")])
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_a_verb_works_without_stderr(verb: str, stderr: str, command: Environment) -> None:
    ask(command, name="n")
    whole = shell(f"exec flyte-sidecar {verb}", command)
    done = shell(f"exec flyte-sidecar {verb} {stderr}", command)
    assert done.returncode == 0
    last = without_ages(done.stdout).splitlines()[-1]
    assert last == without_ages(whole.stdout).splitlines()[-1]


OPEN_FILE = """
import sys
from flyte_sidecar.cli.main import main
main(["--version"])
with open(sys.argv[1], "w") as file:
    file.write(str(file.fileno()))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_gets_the_descriptor_of_a_closed_stream(
    closed: str, command: Environment, tmp_path: Path
) -> None:
    """Otherwise the log would be written into a store."""
    (tmp_path / "opening.py").write_text(OPEN_FILE)
    shell(f"exec python {tmp_path}/opening.py {tmp_path}/opened {closed}", command)
    assert int((tmp_path / "opened").read_text()) > 2


def test_params_from_a_closed_stdin_are_a_one_line_error(command: Environment) -> None:
    done = shell("exec flyte-sidecar call events.list - <&-", command)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "flyte-sidecar: stdin is closed\n",
    )


@pytest.mark.parametrize("arguments", ["call events.list -", "answer r deploy -"])
def test_an_endless_stdin_is_an_error(command: Environment, arguments: str) -> None:
    done = shell(f"yes | flyte-sidecar {arguments}", command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("flyte-sidecar: stdin has more than 16,777,216 bytes\n")


def without_ages(table: str) -> str:
    return re.sub(r"\d+s +", "", table)


def read_slowly(arguments: list[str], env: Environment, form: str) -> tuple[int, bytes]:
    """Run a verb with non-blocking stdout and stderr, which are read only once they are full."""
    if form == "pipe":
        source, sink = os.pipe()
    else:
        import socket

        source, sink = (end.detach() for end in socket.socketpair())
    os.set_blocking(sink, False)
    process = subprocess.Popen(
        ["flyte-sidecar", *arguments], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env
    )
    os.close(sink)
    read = b""
    while chunk := os.read(source, 3000):
        read += chunk
    os.close(source)
    return process.wait(), read


@pytest.mark.parametrize("form", ["pipe", "socket"])
@pytest.mark.parametrize(
    "verb",
    ["schema", "pending", "pending --json", 'call events.list {"runName":"r"}', "demo", "--help"],
)
def test_a_non_blocking_stdout_gets_the_whole_output(
    verb: str, form: str, command: Environment
) -> None:
    for number in range(3):
        ask(command, name=f"n{number}", prompt="x" * 100_000)
    arguments = verb.split()
    status, read = read_slowly(arguments, command, form)
    assert status == 0
    if verb != "demo":
        whole = run("flyte-sidecar", *arguments, env=command).stdout
        assert without_ages(read.decode()) == without_ages(whole)
    assert read.endswith(b"\n")


def test_params_from_a_non_blocking_stdin_are_complete(command: Environment) -> None:
    source, sink = os.pipe()
    os.set_blocking(source, False)
    process = subprocess.Popen(
        ["flyte-sidecar", "call", "events.create", "-"],
        stdin=source,
        stdout=subprocess.PIPE,
        env=command,
    )
    os.close(source)
    prompt = "x" * 1_000_000
    with open(sink, "wb") as params:
        params.write(json.dumps({"runName": "r", "name": "n", "prompt": prompt}).encode())
    printed, _ = process.communicate()
    assert json.loads(printed)["prompt"] == prompt


def test_logging_continues_after_stderr_was_full(command: Environment) -> None:
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    os.write(sink, b"-" * 70_000)
    process = subprocess.Popen(
        ["flyte-sidecar", "--log-level", "info"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=sink,
        env=command,
    )
    os.close(sink)
    assert process.stdin is not None
    assert process.stdout is not None
    bad = b'{"jsonrpc":"2.0","method":"events.signal","params":{"no":1}}\n'
    status = b'{"jsonrpc":"2.0","id":1,"method":"sidecar.status"}\n'
    process.stdin.write(bad + status)
    process.stdin.flush()
    process.stdout.readline()
    read = b""
    while read.count(b"events.signal") < 1:
        read += os.read(source, 10_000)
    process.stdin.write(bad + status)
    process.stdin.flush()
    while read.count(b"events.signal") < 2:
        read += os.read(source, 10_000)
    process.communicate()
    os.close(source)


@pytest.mark.parametrize(
    "verb", ['call events.list {"runName":"r","details":true}', "pending --json", "watch --json r"]
)
def test_json_is_printed_without_control_and_invisible_characters(
    verb: str, command: Environment
) -> None:
    ask(command, name="n", prompt=UNSAFE + SAFE)
    arguments = ["flyte-sidecar", *verb.split()]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, env=command, encoding="utf-8")
    assert process.stdout is not None
    lines = ""
    while '"prompt"' not in lines:
        lines += process.stdout.readline()
    process.terminate()
    process.communicate()
    (prompt,) = [line for line in lines.replace(',"', ',\n"').splitlines() if '"prompt":' in line]
    text = prompt.partition(":")[2].strip().rstrip(",")
    assert json.loads(text) == UNSAFE + SAFE
    assert SAFE in text
    assert not set(UNSAFE[1:-1]) - set("2J") & set(text)


def test_a_table_is_printed_without_control_and_invisible_characters(
    command: Environment,
) -> None:
    ask(command, name="n", prompt=UNSAFE + SAFE)
    printed = run("flyte-sidecar", "pending", env=command).stdout
    assert not (set(UNSAFE[1:-1]) - set("2J")) & set(printed)
    assert SAFE.replace("\u3000", " ") in printed


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
@pytest.mark.parametrize("verb", ["doctor", "pending", "demo", "--help", "call events.list -"])
def test_a_verb_works_with_any_encoding_of_stdout(
    verb: str, encoding: str, command: Environment, tmp_path: Path
) -> None:
    env = {**command, "PYTHONIOENCODING": encoding, "LOGNAME": "Łukasz"}
    env["FLYTE_SIDECAR_STORE"] = str(tmp_path / "日本.db")
    ask(env, name="Ł 日本", prompt="Ł…")
    done = shell(f"exec flyte-sidecar {verb}", env, encoding="utf-8", errors="replace")
    assert (done.returncode, done.stderr) == (0, "")
