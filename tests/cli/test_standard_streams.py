"""The verbs, over standard streams in whatever state they are inherited."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import run

Environment = dict[str, str]

VERBS = ["call events.list -", "pending", "watch r", "schema", "doctor", "demo", "--help"]
ASKED = '{"runName": "r"}'
EVIL = "a\x7f\x9b2J\u200f\u061c\u2028\u202e\U000e0041\xad\ufeffz"
"""Controls, bidirectional overrides, what cannot be seen, and a line separator."""

FINE = "é\u3000日本\u200d😀\ufe0f"


def shell(words: str, env: Environment, **how: object) -> subprocess.CompletedProcess[str]:
    return run("sh", "-c", words, env=env, **{"input": ASKED, **how})


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
def test_with_stdout_closed_a_verb_fails_in_a_sentence(verb: str, command: Environment) -> None:
    done = shell(f"exec flyte-sidecar {verb} >&-", command)
    assert (done.returncode, done.stderr) == (1, "flyte-sidecar: stdout is closed\n")


@pytest.mark.parametrize("verb", VERBS)
def test_a_full_disk_under_stdout_is_an_error_in_a_sentence(
    verb: str, command: Environment
) -> None:
    ask(command, name="n")
    done = shell(f"exec flyte-sidecar {verb} >/dev/full", command)
    assert done.returncode == 1
    assert done.stderr.startswith("flyte-sidecar: ")
    assert done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("verb", [verb for verb in VERBS if not verb.startswith("watch")])
@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
def test_a_verb_works_without_stderr(verb: str, stderr: str, command: Environment) -> None:
    whole = shell(f"exec flyte-sidecar {verb}", command)
    done = shell(f"exec flyte-sidecar {verb} {stderr}", command)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == whole.stdout.splitlines()[-1]


OPENING = """
import sys
from flyte_sidecar.cli.main import main
main(["--version"])
with open(sys.argv[1], "w") as file:
    file.write(str(file.fileno()))
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_number_of_a_stream_that_is_closed(
    closed: str, command: Environment, tmp_path: Path
) -> None:
    """A store that did would get what is logged to stderr."""
    (tmp_path / "opening.py").write_text(OPENING)
    shell(f"exec python {tmp_path}/opening.py {tmp_path}/opened {closed}", command)
    assert int((tmp_path / "opened").read_text()) > 2


def test_params_from_a_stdin_that_is_closed_are_refused_in_a_sentence(command: Environment) -> None:
    done = shell("exec flyte-sidecar call events.list - <&-", command)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "flyte-sidecar: stdin is closed\n",
    )


def without_ages(table: str) -> str:
    return re.sub(r"\d+s +", "", table)


def read_slowly(words: list[str], env: Environment, form: str) -> tuple[int, bytes]:
    """Run a verb whose stdout and stderr do not block, and are read only once they are full."""
    if form == "pipe":
        source, sink = os.pipe()
    else:
        import socket

        source, sink = (end.detach() for end in socket.socketpair())
    os.set_blocking(sink, False)
    process = subprocess.Popen(
        ["flyte-sidecar", *words], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=env
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
def test_a_stdout_that_does_not_block_gets_the_whole_output(
    verb: str, form: str, command: Environment
) -> None:
    for number in range(3):
        ask(command, name=f"n{number}", prompt="x" * 100_000)
    words = verb.split()
    status, read = read_slowly(words, command, form)
    assert status == 0
    if verb != "demo":
        whole = run("flyte-sidecar", *words, env=command).stdout
        assert without_ages(read.decode()) == without_ages(whole)
    assert read.endswith(b"\n")


def test_params_come_whole_from_a_stdin_that_does_not_block(command: Environment) -> None:
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
    told, _ = process.communicate()
    assert json.loads(told)["prompt"] == prompt


def test_logging_goes_on_after_stderr_was_full(command: Environment) -> None:
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
    asked = b'{"jsonrpc":"2.0","id":1,"method":"sidecar.status"}\n'
    process.stdin.write(bad + asked)
    process.stdin.flush()
    process.stdout.readline()
    read = b""
    while read.count(b"events.signal") < 1:
        read += os.read(source, 10_000)
    process.stdin.write(bad + asked)
    process.stdin.flush()
    while read.count(b"events.signal") < 2:
        read += os.read(source, 10_000)
    process.communicate()
    os.close(source)


@pytest.mark.parametrize(
    "verb", ['call events.list {"runName":"r","details":true}', "pending --json", "watch --json r"]
)
def test_json_reaches_no_terminal_with_characters_that_it_obeys_or_hides(
    verb: str, command: Environment
) -> None:
    ask(command, name="n", prompt=EVIL + FINE)
    words = ["flyte-sidecar", *verb.split()]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env=command, encoding="utf-8")
    assert process.stdout is not None
    lines = ""
    while '"prompt"' not in lines:
        lines += process.stdout.readline()
    process.terminate()
    process.communicate()
    (prompt,) = [line for line in lines.replace(',"', ',\n"').splitlines() if '"prompt":' in line]
    text = prompt.partition(":")[2].strip().rstrip(",")
    assert json.loads(text) == EVIL + FINE
    assert FINE in text
    assert not set(EVIL[1:-1]) - set("2J") & set(text)


def test_a_table_reaches_no_terminal_with_characters_that_it_obeys_or_hides(
    command: Environment,
) -> None:
    ask(command, name="n", prompt=EVIL + FINE)
    told = run("flyte-sidecar", "pending", env=command).stdout
    assert not (set(EVIL[1:-1]) - set("2J")) & set(told)
    assert FINE.replace("\u3000", " ") in told


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
@pytest.mark.parametrize("verb", ["doctor", "pending", "demo", "--help", "call events.list -"])
def test_a_verb_works_whatever_the_encoding_of_stdout(
    verb: str, encoding: str, command: Environment, tmp_path: Path
) -> None:
    env = {**command, "PYTHONIOENCODING": encoding, "LOGNAME": "Łukasz"}
    env["FLYTE_SIDECAR_STORE"] = str(tmp_path / "日本.db")
    ask(env, name="Ł 日本", prompt="Ł…")
    done = shell(f"exec flyte-sidecar {verb}", env, encoding="utf-8", errors="replace")
    assert (done.returncode, done.stderr) == (0, "")
