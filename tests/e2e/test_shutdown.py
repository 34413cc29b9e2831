"""The end of a process: by its input, its reader, its parent, a request or a signal."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TEST_TIMEOUT
from tests.e2e.conftest import Spawn
from tests.e2e.process import by_id, kind, request

EVENT = {"runName": "r", "name": "n"}
EXIT = {"jsonrpc": "2.0", "method": "exit"}


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that can be killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


# The end of input.


def test_without_a_request_it_ends_with_its_input(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.end_input()
    assert sidecar.read_all() == []
    assert sidecar.status() == 0


def test_waits_without_a_timeout_end_with_the_input(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT)
    sidecar.send(request(1, "events.wait", **EVENT), request(2, "events.get", **EVENT))
    sidecar.end_input()
    assert by_id(sidecar.read_all()) == {1: "shutting_down", 2: "result"}
    assert sidecar.status() == 0


def test_waits_with_a_timeout_continue_after_the_end_of_input(spawn: Spawn) -> None:
    sidecar, other = spawn(), spawn()
    sidecar.call("events.create", **EVENT)
    other_event = {"runName": "r", "name": "m"}
    sidecar.call("events.create", **other_event)
    sidecar.send(
        request(1, "events.wait", **EVENT, timeoutSeconds=1e6),
        request(2, "events.wait", **other_event, timeoutSeconds=0.3),
        request(3, "events.wait", **other_event),
    )
    sidecar.end_input()
    first, second = sidecar.answers(2)
    assert {(one["id"], kind(one)) for one in (first, second)} == {
        (2, "deadline_exceeded"),
        (3, "shutting_down"),
    }
    other.call("events.signal", **EVENT, payload=True)
    (last,) = sidecar.read_all()
    assert last["result"]["payload"] is True
    assert sidecar.status() == 0


def test_input_that_ends_within_a_batch_is_answered(spawn: Spawn) -> None:
    sidecar = spawn()
    whole = json.dumps([request(1, "events.get", **EVENT), request(2, "sidecar.status")])
    sidecar.write(whole[:-5].encode())
    sidecar.end_input()
    (answer,) = sidecar.read_all()
    assert (answer["id"], kind(answer)) == (None, "parse_error")
    assert sidecar.status() == 0


def test_input_that_ends_within_a_message_is_answered_by_its_id(spawn: Spawn) -> None:
    sidecar = spawn()
    body = json.dumps(request(77, "events.get", **EVENT)).encode()
    sidecar.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body[:-1]))
    sidecar.end_input()
    head, _, reply = sidecar.read().partition(b"\r\n\r\n")
    assert head.startswith(b"Content-Length: ")
    assert json.loads(reply)["id"] == 77
    assert sidecar.status() == 0


@pytest.mark.parametrize(
    "head", [b"Content-Le", b"Content-Length: 5\r\n", b"Content-Length: x\r\n"]
)
def test_headers_without_a_length_are_answered_and_exit_with_1(spawn: Spawn, head: bytes) -> None:
    sidecar = spawn()
    sidecar.write(head)
    if not head.endswith(b"x\r\n"):
        sidecar.end_input()
    reply = sidecar.read().partition(b"\r\n\r\n")[2]
    assert kind(json.loads(reply)) == "parse_error"
    assert sidecar.status() == 1


# The reader.


def test_it_ends_when_its_reader_is_gone(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT)
    sidecar.request(1, "events.wait", **EVENT, timeoutSeconds=1e6)
    sidecar.stop_reading()
    assert sidecar.status() == 0


def test_it_ends_when_its_reader_is_lost_before_the_last_responses_are_written(
    spawn: Spawn,
) -> None:
    sidecar, other = spawn(), spawn()
    sidecar.call("events.create", **EVENT, description="x" * 1_000_000)
    sidecar.send(*(request(n, "events.wait", **EVENT, timeoutSeconds=1e6) for n in range(50)))
    sidecar.wait_for_counter("waits", 50)
    sidecar.end_input()
    other.call("events.signal", **EVENT, payload=True)
    sidecar.read(1)
    sidecar.stop_reading()
    assert sidecar.status() == 0


@pytest.mark.parametrize("ended", [False, True])
def test_it_ends_when_its_reader_is_lost_while_responses_are_queued(
    spawn: Spawn, ended: bool
) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT, description="x" * 1_000_000)
    sidecar.send(*(request(n, "events.get", **EVENT) for n in range(50)))
    sidecar.read(1)
    if ended:
        sidecar.end_input()
    sidecar.stop_reading()
    assert sidecar.status() == 0


def test_it_ends_when_the_other_end_of_its_socket_is_closed(spawn: Spawn) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sidecar = spawn(stdin=theirs, stdout=theirs)
        theirs.close()
        ours.sendall(json.dumps(request(1, "events.create", **EVENT)).encode() + b"\n")
        assert json.loads(ours.recv(1 << 16))["result"]["pending"]
        wait = request(2, "events.wait", **EVENT, timeoutSeconds=1e6)
        ours.sendall(json.dumps(wait).encode() + b"\n")
        ours.close()
        assert sidecar.status() == 0


# The parent.


@pytest.mark.posix
def test_it_ends_with_the_parent_from_the_command_line(
    spawn: Spawn, parent: subprocess.Popen[bytes]
) -> None:
    for word in (f"--parent-pid={parent.pid}", f"--clientProcessId={parent.pid}"):
        sidecar = spawn("--stdio", word)
        sidecar.call("sidecar.status")
    first = spawn("--parent-pid", str(parent.pid))
    first.call("sidecar.status")
    parent.kill()
    # Nobody has reaped the parent yet.
    os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
    assert sidecar.status() == 0
    assert first.status() == 0


def test_it_ends_with_the_parent_from_initialize(
    spawn: Spawn, parent: subprocess.Popen[bytes]
) -> None:
    sidecar = spawn()
    sidecar.call("initialize", processId=parent.pid, capabilities={})
    sidecar.call("events.create", **EVENT)
    sidecar.request(1, "events.wait", **EVENT, timeoutSeconds=1e6)
    parent.kill()
    parent.wait()
    assert sidecar.status() == 0


@pytest.mark.posix
def test_a_parent_that_is_a_zombie_is_gone(spawn: Spawn, parent: subprocess.Popen[bytes]) -> None:
    parent.kill()
    os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
    assert spawn("--parent-pid", str(parent.pid)).status() == 0


@pytest.mark.parametrize("pid", [4_000_000, 1 << 40, -5, 0])
def test_a_parent_that_is_not_visible_is_not_monitored(spawn: Spawn, pid: int) -> None:
    sidecar = spawn()
    sidecar.call("initialize", processId=pid)
    sidecar.call("sidecar.status")
    sidecar.end_input()
    assert sidecar.status() == 0


def test_it_ends_at_once_with_its_parent_though_the_store_is_locked(
    spawn: Spawn, store: Path, parent: subprocess.Popen[bytes]
) -> None:
    sidecar = spawn("--parent-pid", str(parent.pid))
    sidecar.call("events.create", **EVENT)
    lock = sqlite3.connect(store, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    sidecar.request(1, "events.signal", **EVENT, payload=True)
    parent.kill()
    assert sidecar.popen.wait(5) == 0
    lock.close()


# Requests.


def test_shutdown_and_exit_end_it_with_0(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT)
    sidecar.send(request(1, "events.wait", **EVENT, timeoutSeconds=1e6), request(2, "shutdown"))
    answers = sidecar.answers(2)
    assert [(one["id"], kind(one)) for one in answers] == [(1, "shutting_down"), (2, "result")]
    assert answers[1]["result"] is None
    sidecar.request(3, "events.get", **EVENT)
    assert kind(sidecar.answer()) == "invalid_request"
    sidecar.send(EXIT)
    assert sidecar.read_all() == []
    assert sidecar.status() == 0


def test_exit_alone_ends_it_with_1(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.send(EXIT)
    assert sidecar.read_all() == []
    assert sidecar.status() == 1


def test_exit_interrupts_no_write_that_was_sent(spawn: Spawn) -> None:
    sidecar = spawn()
    count = 200
    creates = [request(n, "events.create", runName="r", name=f"n{n}") for n in range(count)]
    sidecar.send(*creates, EXIT)
    found = by_id(sidecar.read_all())
    assert sidecar.status() == 1
    assert sorted(found) == list(range(count))
    again = spawn()
    stored = {
        event["name"] for event in again.call("events.list", runName="r", limit=1000)["events"]
    }
    assert {f"n{n}" for n, outcome in found.items() if outcome == "result"} <= stored


# Signals.


@pytest.mark.posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_acts_like_shutdown_and_exit(spawn: Spawn, number: int) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT)
    sidecar.request(1, "events.wait", **EVENT, timeoutSeconds=1e6)
    sidecar.wait_for_counter("waits", 1)
    sidecar.popen.send_signal(number)
    assert by_id(sidecar.read_all()) == {1: "shutting_down"}
    assert sidecar.status() == 0
    assert sidecar.stderr_text() == ""


@pytest.mark.posix
def test_a_signal_ends_it_although_nobody_reads_and_when_sent_twice(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT, description="x" * 1_000_000)
    sidecar.send(*(request(n, "events.get", **EVENT) for n in range(50)))
    sidecar.read(1)
    sidecar.popen.send_signal(signal.SIGTERM)
    sidecar.popen.send_signal(signal.SIGINT)
    sidecar.popen.send_signal(signal.SIGTERM)
    assert sidecar.popen.wait(TEST_TIMEOUT) == 0


@pytest.mark.posix
def test_a_stopped_sidecar_continues(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("sidecar.status")
    sidecar.popen.send_signal(signal.SIGSTOP)
    sidecar.send(*(request(n, "events.get", **EVENT) for n in range(100)))
    sidecar.popen.send_signal(signal.SIGCONT)
    sidecar.end_input()
    assert len(by_id(sidecar.read_all())) == 100
    assert sidecar.status() == 0
