"""Clients that do not read, of stdout or of stderr."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import TEST_TIMEOUT
from tests.e2e.conftest import Spawn
from tests.e2e.process import by_id, kind, lines, request

EVENT = {"runName": "r", "name": "n"}
MIB = 1 << 20


def resident(pid: int) -> int:
    size: int = psutil.Process(pid).memory_info().rss
    return size


@pytest.mark.posix
def test_unread_output_stops_reading_in_bounded_memory(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT, description="x" * 1000)
    before = resident(sidecar.pid)
    count = 50_000
    data = memoryview(lines(request(n, "events.get", **EVENT) for n in range(count)))
    assert sidecar.popen.stdin is not None
    assert sidecar.popen.stdout is not None
    stdin, stdout = sidecar.popen.stdin.fileno(), sidecar.popen.stdout.fileno()
    os.set_blocking(stdin, False)
    # Full is a stdin that takes nothing for a while.
    while select.select([], [stdin], [], 1.0)[1]:
        data = data[os.write(stdin, data[: 1 << 16]) :]
    assert len(data) > 2 * MIB, "all was taken, though no answer could be written"
    assert resident(sidecar.pid) - before < 40 * MIB
    seen, tail = 0, b""
    while seen < count:
        readable, writable, _ = select.select([stdout], [stdin] if data else [], [], 30)
        assert readable or writable
        if writable:
            with suppress(BlockingIOError):
                data = data[os.write(stdin, data[: 1 << 12]) :]
        if readable:
            tail = os.read(stdout, 1 << 20)
            seen += tail.count(b"\n")
    assert seen == count
    assert tail.endswith(b"\n")
    assert resident(sidecar.pid) - before < 40 * MIB


def peak(pid: int) -> int:
    """Return the most memory that the process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


@pytest.fixture
def large(spawn: Spawn) -> dict[str, str]:
    """An event of 3 MiB; the sidecars of the test open the store anew."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the peak of memory is read in /proc")
    sidecar = spawn()
    sidecar.call("events.create", **EVENT, prompt="x" * (3 * MIB))
    sidecar.end_input()
    assert sidecar.status() == 0
    return EVENT


@pytest.mark.posix
@pytest.mark.parametrize("first", [[], [request("c", "events.create", runName="r", name="m")]])
def test_large_results_that_are_not_read_are_bounded_by_bytes(
    spawn: Spawn, large: dict[str, str], first: list[Any]
) -> None:
    sidecar = spawn()
    # All are taken before the store is open, or wait for the write.
    sidecar.send(*first, *(request(n, "events.get", **large) for n in range(200)))
    count = 0
    while count < 200 + len(first):
        count += sidecar.read(MIB).count(b"\n")
    assert peak(sidecar.pid) < 250 * MIB


@pytest.mark.posix
def test_a_batch_of_large_results_is_bounded_by_bytes(spawn: Spawn, large: dict[str, str]) -> None:
    sidecar = spawn()
    sidecar.send([request(n, "events.get", **large) for n in range(150)])
    parts = [b"-"]
    while not parts[-1].endswith(b"\n"):
        parts.append(sidecar.read(MIB))
    answers = json.loads(b"".join(parts[1:]))
    found = by_id(answers)
    assert sorted(found) == list(range(150))
    assert set(found.values()) == {"result", "message_too_large"}
    assert list(found.values()).count("result") == (64 * MIB) // (3 * MIB)
    (limit,) = {one["error"]["data"]["limit"] for one in answers if "error" in one}
    assert limit == 64 * MIB
    assert peak(sidecar.pid) < 450 * MIB
    sidecar.request("again", "events.get", **large)
    assert kind(sidecar.answer()) == "result"


@pytest.mark.posix
def test_waits_for_a_large_event_hold_it_once(spawn: Spawn, large: dict[str, str]) -> None:
    sidecar, other = spawn(), spawn()
    sidecar.send(*(request(n, "events.wait", **large) for n in range(200)))
    sidecar.wait_for_counter("waits", 200)
    other.send(request("s", "events.signal", **large, payload=True))
    sidecar.send(*(request(n, "events.wait", **large) for n in range(200, 400)))
    count = 0
    while count < 400:
        count += sidecar.read(MIB).count(b"\n")
    assert peak(sidecar.pid) < 150 * MIB


@pytest.mark.posix
def test_a_reader_that_is_stopped_loses_nothing(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT, description="x" * 1000)
    data = lines(request(n, "events.get", **EVENT) for n in range(10_000))

    def feed() -> None:
        sidecar.write(data)
        sidecar.end_input()

    with subprocess.Popen(["cat"], stdin=sidecar.popen.stdout, stdout=subprocess.PIPE) as reader:
        reader.send_signal(signal.SIGSTOP)
        sidecar.stop_reading()
        feeding = threading.Thread(target=feed)
        feeding.start()
        feeding.join(0.5)
        assert feeding.is_alive()
        reader.send_signal(signal.SIGCONT)
        assert reader.communicate(timeout=TEST_TIMEOUT)[0].count(b"\n") == 10_000
        feeding.join()
    assert sidecar.status() == 0


def test_more_writes_than_run_at_once_are_all_answered(spawn: Spawn) -> None:
    sidecar = spawn()
    count = 3000
    creates = (request(n, "events.create", runName="r", name=f"n{n}") for n in range(count))
    feeding = threading.Thread(target=sidecar.send, args=tuple(creates))
    feeding.start()
    found = by_id(sidecar.answers(count))
    feeding.join()
    assert set(found.values()) == {"result"}


@pytest.mark.parametrize("level", ["debug", "info"])
def test_stderr_that_is_not_read_delays_nothing(spawn: Spawn, level: str) -> None:
    sidecar = spawn("--log-level", level, stderr=subprocess.PIPE)
    bad = {"jsonrpc": "2.0", "method": "x" * 1000}
    for _ in range(20):
        sidecar.send(*([bad] * 1000), request(1, "events.get", **EVENT))
        assert kind(sidecar.answer()) == "result"
    sidecar.end_input()
    assert sidecar.status() == 0


def test_a_closed_stderr_delays_nothing(spawn: Spawn) -> None:
    sidecar = spawn("--log-level", "debug", stderr=subprocess.PIPE)
    assert sidecar.popen.stderr is not None
    sidecar.popen.stderr.close()
    sidecar.send(*([{"jsonrpc": "2.0", "method": "x"}] * 100), request(1, "events.get", **EVENT))
    assert kind(sidecar.answer()) == "result"
    sidecar.end_input()
    assert sidecar.status() == 0


def test_one_wait_too_many_is_refused(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **EVENT)
    waits = [request(n, "events.wait", **EVENT) for n in range(10_001)]
    feeding = threading.Thread(target=sidecar.send, args=tuple(waits))
    feeding.start()
    answer = sidecar.answer()
    feeding.join()
    assert (answer["id"], kind(answer)) == (10_000, "too_many_waits")
    assert answer["error"]["data"]["limit"] == 10_000
    sidecar.request("s", "events.signal", **EVENT, payload=True)
    assert set(by_id(sidecar.answers(10_001)).values()) == {"result"}
