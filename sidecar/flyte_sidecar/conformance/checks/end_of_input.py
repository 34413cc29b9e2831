"""The end of a connection, as editors, scripts and shells cause it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flyte_sidecar.conformance.check import Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.messages import Message, compact, request_text

END = Group("end", is_fresh=True)

PENDING = 50
"""Requests before the end of input."""


def _expect_answers(found: list[Message], ids: list[str]) -> None:
    missing = {*ids} - {compact(one.get("id")) for one in found if isinstance(one, dict)}
    if missing:
        raise Violation(f"{len(missing)} of {len(ids)} requests before it have no response")


def _expect_exit(server: Connection) -> int:
    """Wait for the end of the process, and return its status."""
    server.collect_all(server.target.timeout)
    status = server.process.wait_for_exit(server.target.timeout)
    if status is None:
        raise Violation(f"the server does not exit within {server.target.timeout:g} s")
    return status


@END.should(
    "answers",
    "requests before the end of input are answered",
    not_in_lsp="a language server is ended by `shutdown` and `exit`",
)
def _answers(server: Connection) -> None:
    server.check_alive()
    ids = [server.new_id() for _ in range(PENDING)]
    server.send(*map(server.probe_text, ids))
    server.process.end_input()
    _expect_answers(server.collect_all(server.target.timeout), ids)


@END.should("exit", "the server exits at the end of input")
def _exit(server: Connection) -> None:
    server.check_alive()
    server.process.end_input()
    _expect_exit(server)


@END.should(
    "status",
    "the exit status is 0 at the end of input",
    not_in_lsp="without `shutdown`, the end of a language server is no success",
)
def _status(server: Connection) -> None:
    server.check_alive()
    server.process.end_input()
    if status := _expect_exit(server):
        raise Violation(f"the exit status is {status}")


@END.should("no-input", "the server exits if its input ends before the first message")
def _no_input(server: Connection) -> None:
    server.process.end_input()
    server.collect_all(server.target.startup_timeout)
    _expect_exit(server)


@END.should("partial-message", "the server exits if its input ends in the middle of a message")
def _partial_message(server: Connection) -> None:
    server.check_alive()
    data = server.frame(server.probe_text(server.new_id()))
    server.write(data[:-10])
    server.process.end_input()
    _expect_exit(server)


@END.should("waiting-request", "a request that waits does not keep the server", needs="slow")
def _waiting_request(server: Connection) -> None:
    slow = server.target.slow
    assert slow is not None
    server.check_alive()
    server.send(request_text(slow.method, slow.params, server.new_id()))
    server.process.end_input()
    _expect_exit(server)


@END.should("closed-output", "the server exits when it cannot write its responses")
def _closed_output(server: Connection) -> None:
    server.check_alive()
    server.process.pause_reading()
    server.send(server.probe_text(server.new_id()))
    if not server.process.close_output(server.target.timeout):
        raise Violation("a request is not answered")
    for _ in range(3):
        server.send(server.probe_text(server.new_id()))
        status = server.process.wait_for_exit(server.target.timeout / 3)
        if status is not None:
            return
    raise Violation(f"it still runs after {server.target.timeout:g} s, and stdin is open")


@END.should(
    "file",
    "requests in a file are answered: stdin need not be a pipe",
    is_fresh=False,
    not_in_lsp="its handshake needs two directions",
)
def _file(server: Connection) -> None:
    ids = [server.new_id() for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requests"
        path.write_bytes(b"".join(server.frame(server.probe_text(each)) for each in ids))
        reading = Connection(server.target, server.framing, server.observations, stdin=path)
        try:
            found = reading.collect_all(server.target.startup_timeout)
            status = reading.process.wait_for_exit(server.target.timeout)
        finally:
            reading.close()
    _expect_answers(found, ids)
    if status is None:
        raise Violation("the server does not exit at the end of the file")
