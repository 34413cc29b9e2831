"""Cancellation, and requests that wait. JSON-RPC has no cancellation: the rules are LSP's."""

from __future__ import annotations

from flyte_sidecar.conformance.check import ROBUSTNESS, Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_none, show
from flyte_sidecar.conformance.failures import Violation, Warn
from flyte_sidecar.conformance.messages import REQUEST_CANCELLED, error_code, request_text

CANCELLATION = Group("cancellation", source="LSP, cancellation support", needs="slow")


def _start(server: Connection) -> str:
    """Send a request that waits, and return its id."""
    slow = server.target.slow
    assert slow is not None
    request_id = server.new_id()
    expect_none(server.exchange(request_text(slow.method, slow.params, request_id), expected=0))
    return request_id


def _cancel_text(server: Connection, request_id: str) -> bytes:
    return request_text(server.target.cancel, f'{{"id":{request_id}}}', None)


def _cancel(server: Connection, request_id: str) -> None:
    server.send(_cancel_text(server, request_id))


@CANCELLATION.should(
    "waiting", "a request that waits does not delay the next one", source=ROBUSTNESS
)
def _waiting(server: Connection) -> None:
    request_id = _start(server)
    _cancel(server, request_id)
    server.response_to(request_id)


@CANCELLATION.must("response", "a request that is cancelled gets exactly one response")
def _response(server: Connection) -> None:
    request_id = _start(server)
    _cancel(server, request_id)
    server.response_to(request_id)
    expect_none(server.others())


@CANCELLATION.should("code", "the error of a cancelled request is -32800")
def _code(server: Connection) -> None:
    request_id = _start(server)
    _cancel(server, request_id)
    response = server.response_to(request_id)
    if error_code(response) not in (None, REQUEST_CANCELLED):
        raise Warn(f"expected the error {REQUEST_CANCELLED}, got {show(response)}")


@CANCELLATION.must("at-once", "so does one that is cancelled in the same write")
def _at_once(server: Connection) -> None:
    slow = server.target.slow
    assert slow is not None
    request_id = server.new_id()
    text = request_text(slow.method, slow.params, request_id)
    server.send(text, _cancel_text(server, request_id), _cancel_text(server, request_id))
    server.response_to(request_id)
    expect_none(server.others())


@CANCELLATION.should("other", "the cancellation of a request does not affect another one")
def _other(server: Connection) -> None:
    first, second = _start(server), _start(server)
    _cancel(server, second)
    server.response_to(second)
    if found := server.others():
        raise Violation(f"the other request is answered too: {show(found)}")
    _cancel(server, first)
    server.response_to(first)


@CANCELLATION.must(
    "unknown-id",
    "the cancellation of an unknown or finished request is not answered",
    source="JSON-RPC 4.1",
)
def _unknown_id(server: Connection) -> None:
    finished = server.new_id()
    server.exchange(server.probe_text(finished))
    ids = (finished, '"conformance-none"', "12345", "null", "{}")
    texts = [_cancel_text(server, request_id) for request_id in ids]
    expect_none(server.exchange(*texts, request_text(server.target.cancel, None, None), expected=0))
