"""A process without threads, descriptors or a log still answers every request."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TEST_TIMEOUT
from tests.e2e.conftest import Spawn
from tests.e2e.process import by_id, lines, request

if sys.platform != "win32":
    import resource

EVENT = {"runName": "r", "name": "n"}

NO_THREADS = """
import sys, threading
def start(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
from flyte_sidecar.cli.main import main
sys.exit(main())
"""

NO_LOG = """
import logging, sys
from flyte_sidecar.cli import logs
class Broken(logs.LineHandler):
    def format(self, record):
        raise OSError(28, "No space left on device")
logs.LineHandler = Broken
from flyte_sidecar.cli.main import main
sys.exit(main())
"""


def requests() -> list[dict[str, Any]]:
    """Return requests of all kinds, some of which fail, and notifications that do."""
    return [
        request(1, "initialize", processId=None),
        request(2, "events.get", **EVENT),
        request(3, "events.create", **EVENT),
        request(4, "rpc.discover"),
        request(5, "sidecar.status"),
        request(6, "events.wait", **EVENT, timeoutSeconds=TEST_TIMEOUT),
        request(7, "events.watch", watch="w"),
        {"jsonrpc": "2.0", "method": "events.signal", "params": {}},
        {"jsonrpc": "2.0", "method": "unknown"},
        request(8, "events.signal", **EVENT, payload=True),
        request(9, "unknown"),
        request(10, "events.unwatch", watch="w"),
    ]


@pytest.mark.parametrize("level", ["debug", "warning"])
@pytest.mark.parametrize("code", [NO_THREADS, NO_LOG], ids=["threads", "log"])
def test_without_threads_or_a_log_every_request_is_answered(
    spawn: Spawn, code: str, level: str
) -> None:
    sidecar = spawn("--log-level", level, command=[sys.executable, "-c", code])
    sidecar.send(*requests())
    sidecar.end_input()
    found = by_id(sidecar.read_all())
    assert sorted(found) == list(range(1, 11))
    assert found[1] == found[4] == found[5] == "result"
    assert set(found.values()) <= {"result", "store_unavailable", "method_not_found"}
    assert "internal_error" not in found.values()
    assert sidecar.status() == 0
    assert "Traceback" not in sidecar.stderr_text()


def test_a_file_is_read_without_threads(spawn: Spawn, tmp_path: Path) -> None:
    path = tmp_path / "requests"
    path.write_bytes(lines([request(n, "events.get", **EVENT) for n in range(3000)]))
    with path.open("rb") as file:
        sidecar = spawn(command=[sys.executable, "-c", NO_THREADS], stdin=file)
    assert len(by_id(sidecar.read_all())) == 3000
    assert sidecar.status() == 0


def limited(count: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


@pytest.mark.posix
@pytest.mark.parametrize("count", range(8, 22, 2))
def test_without_descriptors_it_does_not_start_or_answers_every_request(
    spawn: Spawn, count: int
) -> None:
    sidecar = spawn(preexec_fn=limited(count))
    with suppress(BrokenPipeError):  # it may have ended already
        sidecar.write(lines(requests()))
        sidecar.end_input()
    found = by_id(sidecar.read_all())
    if found:
        assert sorted(found) == list(range(1, 11))
        assert sidecar.status() == 0
    else:
        assert sidecar.status() != 0
        assert sidecar.stderr_text()
