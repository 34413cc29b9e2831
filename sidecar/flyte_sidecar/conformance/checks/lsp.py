"""The life of a language server."""

from __future__ import annotations

from flyte_sidecar.conformance.check import Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_error, expect_none, show
from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.messages import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    request_text,
)

LSP = Group("lsp", source="LSP, server lifecycle", needs="lsp")


def _expect_status(server: Connection, expected: int) -> None:
    server.send(request_text("exit", None, None))
    server.collect_all(server.target.timeout)
    status = server.process.wait_for_exit(server.target.timeout)
    if status is None:
        raise Violation(f"the server does not exit within {server.target.timeout:g} s")
    if status != expected:
        raise Violation(f"expected the exit status {expected}, got {status}")


@LSP.must("dollar-request", "an unknown request $/... gets -32601", source="LSP, $ notifications")
def _dollar_request(server: Connection) -> None:
    request_id = server.new_id()
    text = request_text("$/conformance", "{}", request_id)
    expect_error(server.exchange(text), METHOD_NOT_FOUND, ids=[request_id])


@LSP.must(
    "dollar-notification",
    "an unknown notification $/... is ignored",
    source="LSP, $ notifications",
)
def _dollar_notification(server: Connection) -> None:
    expect_none(server.exchange(request_text("$/conformance", "{}", None), expected=0))


@LSP.should("initialize-twice", "a second `initialize` gets -32600")
def _initialize_twice(server: Connection) -> None:
    request_id = server.new_id()
    params = '{"processId":null,"rootUri":null,"capabilities":{}}'
    text = request_text("initialize", params, request_id)
    expect_error(server.exchange(text), INVALID_REQUEST, ids=[request_id])


@LSP.should("after-shutdown", "requests after `shutdown` get an error", is_fresh=True)
def _after_shutdown(server: Connection) -> None:
    server.send(request_text("shutdown", None, '"shutdown"'))
    server.response_to('"shutdown"')
    request_id = server.new_id()
    server.send(server.probe_text(request_id))
    codes = (INVALID_REQUEST, METHOD_NOT_FOUND)  # the method of the probe may be unknown
    expect_error([server.response_to(request_id)], *codes, ids=[request_id])


@LSP.should("exit", "after `shutdown`, `exit` ends the server with status 0", is_fresh=True)
def _exit(server: Connection) -> None:
    server.send(request_text("shutdown", None, '"shutdown"'))
    response = server.response_to('"shutdown"')
    if response.get("result", "none") is not None:
        raise Violation(f"expected the result null of `shutdown`, got {show(response)}")
    _expect_status(server, 0)


@LSP.should("exit-only", "without `shutdown`, `exit` ends the server with status 1", is_fresh=True)
def _exit_only(server: Connection) -> None:
    server.check_alive()
    _expect_status(server, 1)
