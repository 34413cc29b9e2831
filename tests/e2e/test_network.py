"""What a sidecar connects to and starts: nothing, on the embedded store."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.process import kind

REPORT_AUDIT_EVENTS = """
import os, sys

REPORTED = (
    "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
)
report = os.open(os.environ["AUDIT_REPORT"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.write(report, b"started\\n")
sys.addaudithook(
    lambda event, args: event in REPORTED and os.write(report, f"{event} {args}\\n".encode())
)
"""


@pytest.mark.posix  # elsewhere, asyncio itself connects sockets of the process
def test_a_sidecar_on_the_embedded_store_uses_no_network_and_starts_no_process(
    spawn: Spawn, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(REPORT_AUDIT_EVENTS)
    report = tmp_path / "report"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "AUDIT_REPORT": str(report)}
    sidecar = spawn(env=environment)
    target = {"runName": "r1", "name": "deploy"}
    sidecar.request(1, "initialize", capabilities={})
    sidecar.request(2, "events.watch", watch="w")
    sidecar.request(3, "events.create", **target)
    sidecar.request(4, "events.signal", **target, payload=True)
    sidecar.request(5, "events.pending")
    sidecar.request(6, "events.wait", **target)
    sidecar.request(7, "sidecar.status")
    sidecar.request(8, "rpc.discover")
    sidecar.request(9, "shutdown")
    sidecar.end_input()
    answers = [message for message in sidecar.read_all() if "id" in message]
    assert {message["id"]: kind(message) for message in answers} == dict.fromkeys(
        range(1, 10), "result"
    )
    assert report.read_text() == "started\n"
