"""Streams that are terminals, sockets, closed, or shared."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TEST_TIMEOUT
from tests.e2e.conftest import Spawn
from tests.e2e.process import COMMAND, kind, request

if sys.platform != "win32":
    import fcntl
    import pty
    import termios
    import tty

pytestmark = pytest.mark.posix

EVENT = {"runName": "r", "name": "n"}


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    for end in (master, slave):
        os.close(end)


def lines_of(master: int, count: int) -> list[str]:
    seen = b""
    while seen.count(b"\n") < count:
        assert select.select([master], [], [], TEST_TIMEOUT)[0], seen
        seen += os.read(master, 1 << 16)
    return seen.decode().splitlines()


def test_a_person_may_type_requests(spawn: Spawn, terminal: tuple[int, int]) -> None:
    master, slave = terminal
    flags = fcntl.fcntl(slave, fcntl.F_GETFL)
    modes = termios.tcgetattr(slave)
    sidecar = spawn(stdin=slave, stdout=slave, stderr=slave)
    assert "Ctrl-D" in lines_of(master, 1)[0]
    os.write(master, json.dumps(request(1, "sidecar.status")).encode() + b"\n")
    echoed, answer = lines_of(master, 2)
    assert json.loads(echoed)["method"] == "sidecar.status"
    assert json.loads(answer)["result"]["backend"]["kind"] == "local"
    assert fcntl.fcntl(slave, fcntl.F_GETFL) == flags
    os.write(master, b"\x04")
    assert sidecar.status() == 0
    assert fcntl.fcntl(slave, fcntl.F_GETFL) == flags
    assert termios.tcgetattr(slave) == modes


def test_a_terminal_that_nobody_reads_does_not_delay_the_end(
    spawn: Spawn, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    tty.setraw(slave)
    sidecar = spawn(stdout=slave)
    sidecar.send(request(0, "events.create", **EVENT, description="x" * 500_000))
    sidecar.send(*(request(n, "events.get", **EVENT) for n in range(1, 20)))
    assert select.select([master], [], [], TEST_TIMEOUT)[0]
    sidecar.popen.terminate()
    assert sidecar.popen.wait(30) == 0


def test_one_socket_may_be_both_streams_and_keeps_its_flags(spawn: Spawn) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        flags = fcntl.fcntl(theirs.fileno(), fcntl.F_GETFL)
        sidecar = spawn(stdin=theirs, stdout=theirs)
        with ours.makefile("rwb") as file:
            create = request(1, "events.create", **EVENT, description="x" * 3_000_000)
            file.write(json.dumps(create).encode() + b"\n")
            file.flush()
            assert kind(json.loads(file.readline())) == "result"
            assert fcntl.fcntl(theirs.fileno(), fcntl.F_GETFL) == flags
            file.write(json.dumps(request(2, "events.get", **EVENT)).encode() + b"\n")
            file.flush()
            ours.shutdown(socket.SHUT_WR)
            assert len(json.loads(file.readline())["result"]["description"]) == 3_000_000
        assert sidecar.status() == 0
        assert fcntl.fcntl(theirs.fileno(), fcntl.F_GETFL) == flags


@pytest.mark.parametrize("blocking", [True, False])
def test_the_flags_of_pipes_are_left_alone(spawn: Spawn, blocking: bool) -> None:
    (stdin, to), (source, stdout) = os.pipe(), os.pipe()
    for end in (stdin, stdout):
        os.set_blocking(end, blocking)
    sidecar = spawn(stdin=stdin, stdout=stdout)
    text = "x" * 2_000_000
    for message in (
        request(1, "events.create", **EVENT, description=text),
        request(2, "events.get", **EVENT),
    ):
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(to, data[: 1 << 16]) :]
    os.close(to)
    seen = b""
    while seen.count(b"\n") < 2:
        seen += os.read(source, 1 << 20)
    assert sidecar.status() == 0
    for end in (stdin, stdout):
        assert os.get_blocking(end) is blocking
    for end in (stdin, stdout, source):
        os.close(end)


def test_an_empty_stdin_is_the_end_of_input(spawn: Spawn) -> None:
    sidecar = spawn(stdin=subprocess.DEVNULL)
    assert sidecar.read_all() == []
    assert sidecar.status() == 0


def test_output_may_be_discarded(spawn: Spawn) -> None:
    sidecar = spawn(stdout=subprocess.DEVNULL)
    sidecar.send(*(request(n, "events.get", **EVENT) for n in range(1000)))
    sidecar.end_input()
    assert sidecar.status() == 0


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_closed_streams_are_refused_in_a_sentence(store: Path, closed: str) -> None:
    command = " ".join([*COMMAND, "--store", str(store)])
    done = subprocess.run(
        ["sh", "-c", f"exec {command} {closed}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "stdin and stdout must be open" in done.stderr
    assert "Traceback" not in done.stderr


def test_stderr_may_be_closed(store: Path) -> None:
    command = " ".join([*COMMAND, "--store", str(store)])
    text = json.dumps(request(1, "events.get", **EVENT)) + "\n"
    done = subprocess.run(
        ["sh", "-c", f"exec {command} 2>&-"],
        stdout=subprocess.PIPE,
        input=text,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert kind(json.loads(done.stdout)) == "result"


def test_a_full_disk_ends_it(spawn: Spawn) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    with open("/dev/full", "wb") as full:
        sidecar = spawn(stdout=full)
        sidecar.request(1, "sidecar.status")
        assert sidecar.status() == 1
