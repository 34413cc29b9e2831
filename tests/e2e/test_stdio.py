"""Only protocol messages on stdout, and a response to any input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TEST_TIMEOUT
from tests.e2e.conftest import Spawn
from tests.e2e.process import Process, by_id, kind, lines, request

EVENT = {"runName": "r", "name": "n"}

NOISY = """
import builtins, os, subprocess, sys
import_ = builtins.__import__
def noisy_import(name, *rest):
    if name == "flyte_sidecar.server.serve":
        print("printed at import", flush=True)
        os.write(1, b"written at import\\n")
    return import_(name, *rest)
builtins.__import__ = noisy_import
from flyte_sidecar.server.handlers import MethodHandlers
get = MethodHandlers._get
def noisy(self, given, call):
    print("printed while serving", flush=True)
    os.write(1, b"written by a C library\\n")
    subprocess.run([sys.executable, "-c", "print('printed by a child', input('?') if 0 else '')"])
    assert subprocess.run(["cat"], capture_output=True).stdout == b""
    assert sys.stdin.read() == ""
    return get(self, given, call)
MethodHandlers._get = noisy
from flyte_sidecar.cli.main import main
sys.exit(main())
"""


def test_whatever_prints_prints_to_stderr(spawn: Spawn) -> None:
    sidecar = spawn(command=[sys.executable, "-c", NOISY])
    sidecar.request(1, "events.get", **EVENT)
    sidecar.request(2, "sidecar.status")
    sidecar.end_input()
    assert by_id(sidecar.read_all()) == {1: "result", 2: "result"}
    assert sidecar.status() == 0
    for words in (
        "printed at import",
        "written at import",
        "while serving",
        "by a C library",
        "by a child",
    ):
        assert words in sidecar.stderr_text()


LEAVING_A_CHILD = """
import subprocess, sys
from flyte_sidecar.server.handlers import MethodHandlers
get = MethodHandlers._get
def parent(self, given, call):
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    print(child.pid, file=sys.stderr, flush=True)
    return get(self, given, call)
MethodHandlers._get = parent
from flyte_sidecar.cli.main import main
sys.exit(main())
"""


@pytest.mark.posix
def test_a_child_that_outlives_the_sidecar_does_not_hold_its_streams(spawn: Spawn) -> None:
    sidecar = spawn(command=[sys.executable, "-c", LEAVING_A_CHILD])
    sidecar.call("events.get", **EVENT)
    sidecar.end_input()
    assert sidecar.read_all() == []
    assert sidecar.status() == 0
    os.kill(int(sidecar.stderr_text()), signal.SIGKILL)


def many(count: int) -> list[Any]:
    made: list[Any] = []
    for n in range(count):
        name = {"runName": "r", "name": f"n{n}"}
        made.append(request(f"c{n}", "events.create", **name))
        made.append(request(f"s{n}", "events.signal", **name, payload=True))
        made.append(request(f"g{n}", "events.get", **name))
        made.append(request(f"x{n}", "events.abort", **name))
    return made


def test_every_request_of_a_stdin_that_is_closed_early_is_answered(spawn: Spawn) -> None:
    requests = many(700)
    sidecar = spawn()
    sidecar.send(*requests[:40])
    reader = subprocess.Popen(["cat"], stdin=sidecar.popen.stdout, stdout=subprocess.PIPE)
    sidecar.send(*requests[40:])
    sidecar.end_input()
    output = reader.communicate(timeout=TEST_TIMEOUT)[0]
    answers = [json.loads(line) for line in output.splitlines()]
    found = by_id(answers)
    assert len(found) == len(requests)
    for request_id, outcome in found.items():
        assert outcome == ("already_signalled" if request_id[0] == "x" else "result"), request_id
    assert all(one["result"]["payload"] is True for one in answers if one["id"][0] == "g")
    assert sidecar.status() == 0


def test_stdin_and_stdout_may_be_files(spawn: Spawn, tmp_path: Path) -> None:
    requests = many(500)
    (tmp_path / "requests").write_bytes(lines(requests))
    with (tmp_path / "requests").open("rb") as source, (tmp_path / "out").open("wb") as target:
        sidecar = spawn(stdin=source, stdout=target)
        assert sidecar.status() == 0
    answers = map(json.loads, (tmp_path / "out").read_bytes().splitlines())
    assert len(by_id(answers)) == len(requests)


def test_large_replies_fit_into_a_file(spawn: Spawn, tmp_path: Path) -> None:
    # Each is over the mark at which the writing is told to pause.
    creating = spawn()
    creating.call("events.create", **EVENT, description="x" * (1 << 20) + "y" * (1 << 16))
    gets = [request(n, "events.get", **EVENT) for n in range(300)]
    with (tmp_path / "out").open("wb") as target:
        sidecar = spawn(stdout=target)
        # The store is open once this wait is over, and reads are then answered at once.
        sidecar.send(request("w", "events.wait", **EVENT, timeoutSeconds=0.01))
        while not (tmp_path / "out").stat().st_size:
            assert sidecar.popen.poll() is None
        sidecar.send(*gets)
        sidecar.end_input()
        assert sidecar.status() == 0
    with (tmp_path / "out").open("rb") as out:
        assert len(by_id(map(json.loads, out))) == 301
    assert sidecar.stderr_text() == ""


def test_a_line_of_any_length_and_bytes_of_any_kind_are_answered(spawn: Spawn) -> None:
    sidecar = spawn()
    big = b'{"jsonrpc":"2.0","method":"x","params":{"p":"%b"},"id":' % (b"x" * (17 << 20))
    sidecar.write(b"\xef\xbb\xbf\r\n\r\n" + lines([request(1, "sidecar.status")])[:-1] + b"\r\n")
    assert kind(sidecar.answer()) == "result"
    sidecar.write(b'{"jsonrpc":"2.0","id":2,"method":"\xff\xfe"}\n')
    sidecar.write(b'{"jsonrpc":"2.0","id":3,"method":\n\n\r\n')
    sidecar.write(big + b"4}\r\n")
    sidecar.request(5, "events.get", **EVENT)
    answers = sidecar.answers(4)
    assert [(one["id"], kind(one)) for one in answers] == [
        (2, "parse_error"),
        (3, "parse_error"),
        (4, "message_too_large"),
        (5, "result"),
    ]
    assert answers[2]["error"]["data"]["limit"] == 16 << 20


def test_every_malformed_message_is_answered(spawn: Spawn) -> None:
    sidecar = spawn()
    bad = [
        b"{",
        b"[",
        b"[]",
        b"null",
        b"1",
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"method":"nope"}',
        b'{"jsonrpc":"2.0","id":1,"method":"events.get"}',
        b'{"jsonrpc":"2.0","id":1,"method":"events.get","params":[1]}',
        b'{"jsonrpc":"2.0","id":[1],"method":"events.get"}',
        b'{"jsonrpc":"2.0","id":1,"method":"%b"}' % (b"m" * (1 << 20)),
        b'{"jsonrpc":"2.0","id":1,"method":"events.get","params":{"%b":1}}' % (b"p" * 5000),
        b'{"id":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ]
    for message in bad:
        sidecar.write(message + b"\n")
        assert "error" in sidecar.answer()
    sidecar.write(b'{"jsonrpc":"2.0","id":"%b","method":"nope"}\n' % (b"i" * (1 << 20)))
    assert sidecar.answer()["id"] == "i" * (1 << 20)


def test_a_client_like_vscode_jsonrpc_is_served(spawn: Spawn) -> None:
    sidecar = spawn("--stdio", f"--clientProcessId={os.getpid()}")

    def send(message: Any) -> None:
        body = json.dumps(message).encode()
        sidecar.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    data = b""

    def receive() -> Any:
        nonlocal data
        while b"\r\n\r\n" not in data:
            data += sidecar.read()
        head, _, data = data.partition(b"\r\n\r\n")
        name, _, length = head.partition(b": ")
        assert name == b"Content-Length"
        while len(data) < int(length):
            data += sidecar.read()
        body, data = data[: int(length)], data[int(length) :]
        return json.loads(body)

    send(
        {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "processId": os.getpid(),
                "rootUri": None,
                "capabilities": {"window": {"workDoneProgress": True}},
                "trace": "off",
                "workspaceFolders": None,
            },
        }
    )
    result = receive()["result"]
    ours = result["capabilities"]["experimental"]["flyteSidecar"]
    assert ours["protocolVersion"] == result["protocolVersion"] == "1.4"
    send({"jsonrpc": "2.0", "method": "initialized", "params": {}})
    absent: list[Any] = [None, [], [None], {}]
    for params in absent:
        send({"jsonrpc": "2.0", "id": 1, "method": "sidecar.status", "params": params})
        assert receive()["result"]["backend"]["kind"] == "local"
    send({"jsonrpc": "2.0", "method": "$/setTrace", "params": {"value": "off"}})
    send({"jsonrpc": "2.0", "id": 2, "method": "shutdown", "params": None})
    assert receive() == {"jsonrpc": "2.0", "id": 2, "result": None}
    send({"jsonrpc": "2.0", "method": "exit", "params": None})
    assert sidecar.status() == 0


def test_bytes_may_arrive_one_by_one(spawn: Spawn) -> None:
    sidecar = spawn()
    body = json.dumps(request("ü", "events.create", runName="r", name="é")).encode()
    for byte in b"Content-Length: %d\r\nX: y\r\n\r\n%b" % (len(body), body):
        sidecar.write(bytes([byte]))
    sidecar.end_input()
    head, _, reply = sidecar.read().partition(b"\r\n\r\n")
    while len(reply) < int(head.split()[-1]):
        reply += sidecar.read()
    assert json.loads(reply)["result"]["name"] == "é"


def test_a_batch_is_answered_by_one_array(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.send(
        [
            request(1, "events.create", **EVENT),
            request(2, "events.wait", **EVENT),
            {"jsonrpc": "2.0", "method": "events.signal", "params": {**EVENT, "payload": True}},
            request(3, "initialize"),
            request(4, "shutdown"),
            {"jsonrpc": "2.0", "method": "exit"},
            request(5, "events.get", **EVENT),
        ]
    )
    array = sidecar.answer()
    assert [(one["id"], kind(one)) for one in array] == [
        (1, "result"),
        (2, "result"),
        (3, "invalid_request"),
        (4, "invalid_request"),
        (5, "result"),
    ]
    assert array[1]["result"]["payload"] is True
    assert array[4]["result"]["payload"] is True


def test_a_payload_of_15_megabytes_is_returned_completely(spawn: Spawn) -> None:
    text = "x\u00e9\n" * 3_000_000
    sidecar = spawn()
    sidecar.call("events.create", **EVENT, expectedType="str")
    message = json.dumps(request(1, "events.signal", **EVENT, payload=text), ensure_ascii=False)
    sidecar.write(message.encode() + b"\n")
    assert sidecar.answer()["result"]["payload"] == text
    assert sidecar.call("events.get", **EVENT)["payload"] == text


@pytest.mark.parametrize("value", [0, -1, "1", True, [], 1e400])
def test_an_invalid_timeout_is_refused(spawn: Spawn, value: Any) -> None:
    sidecar = spawn()
    text = json.dumps(request(1, "events.wait", **EVENT, timeoutSeconds=value))
    sidecar.write(text.replace("Infinity", "1e400").encode() + b"\n")
    answer = sidecar.answer()
    assert kind(answer) == "invalid_params"
    assert answer["error"]["data"]["path"] == "/timeoutSeconds"


def test_timeouts_may_be_tiny_and_huge(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT)
    sidecar.request(1, "events.wait", **EVENT, timeoutSeconds=1e308)
    sidecar.request(2, "events.wait", **EVENT, timeoutSeconds=1e-9)
    answer = sidecar.answer()
    assert (answer["id"], kind(answer)) == (2, "deadline_exceeded")
    sidecar.request(3, "events.signal", **EVENT, payload=False)
    assert by_id(sidecar.answers(2)) == {1: "result", 3: "result"}


def test_a_request_cancelled_at_any_moment_is_answered_once(spawn: Spawn) -> None:
    sidecar = spawn()
    count = 300
    for n in range(count):
        name = {"runName": "r", "name": f"n{n}"}
        cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": f"w{n}"}}
        other = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": f"s{n}"}}
        unknown = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "?"}}
        wait = request(f"w{n}", "events.wait", **name)
        signal = request(f"s{n}", "events.signal", **name, payload=True)
        sidecar.send(request(f"c{n}", "events.create", **name), wait, unknown)
        sidecar.send(*([signal, cancel, other, cancel] if n % 2 else [cancel, signal]))
    sidecar.end_input()
    found = by_id(sidecar.read_all())
    assert len(found) == 3 * count
    assert {found[f"c{n}"] for n in range(count)} == {"result"}
    assert set(found.values()) <= {"result", "request_cancelled"}
    assert sidecar.status() == 0


def test_a_signal_that_is_sent_again_after_a_lost_reply_changes_nothing(
    spawn: Spawn, store: Path
) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT, expectedType="int")
    sidecar.request(1, "events.signal", **EVENT, payload=7)
    sidecar.answer()
    sidecar.popen.kill()
    again = Process(store)
    try:
        assert again.call("events.signal", **EVENT, payload=7)["payload"] == 7
        again.request(2, "events.signal", **EVENT, payload=8)
        answer = again.answer()
        assert kind(answer) == "already_signalled"
        assert answer["error"]["data"]["event"]["payload"] == 7
    finally:
        again.clear()


def test_thousands_of_waits_on_one_event_end_by_one_signal(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT)
    sidecar.send(*(request(n, "events.wait", **EVENT) for n in range(1000)))
    sidecar.wait_for_counter("waits", 1000)
    sidecar.request("s", "events.signal", **EVENT, payload=True)
    found = by_id(sidecar.answers(1001))
    assert set(found.values()) == {"result"}
    sidecar.wait_for_counter("waits", 0)
