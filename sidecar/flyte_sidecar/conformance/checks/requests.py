"""Requests, and messages that are none."""

from __future__ import annotations

from flyte_sidecar.conformance.check import ROBUSTNESS, Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_error, expect_id, expect_one, show
from flyte_sidecar.conformance.failures import Violation, Warn
from flyte_sidecar.conformance.messages import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    compact,
    error_code,
    request_text,
)
from flyte_sidecar.conformance.target import UNKNOWN_METHOD

REQUESTS = Group("requests", source="JSON-RPC 5")

PIPELINED = 200
"""Requests that are sent at once."""


@REQUESTS.must("result", "a request that succeeds has a result", needs="call")
def _result(server: Connection) -> None:
    assert server.target.call is not None
    response = server.call(server.target.call)
    if "result" not in response:
        raise Violation(f"the request of --call fails: {show(response)}")


@REQUESTS.must("unknown-method", "an unknown method gets -32601", source="JSON-RPC 5.1")
def _unknown_method(server: Connection) -> None:
    request_id = server.new_id()
    text = request_text(UNKNOWN_METHOD, "{}", request_id)
    expect_error(server.exchange(text), METHOD_NOT_FOUND, ids=[request_id])


@REQUESTS.must(
    "invalid-params", "invalid params get -32602", source="JSON-RPC 5.1", needs="invalid"
)
def _invalid_params(server: Connection) -> None:
    assert server.target.invalid is not None
    response = server.call(server.target.invalid)
    if error_code(response) is None:
        raise Violation(f"expected the error {INVALID_PARAMS}, got {show(response)}")
    if error_code(response) != INVALID_PARAMS:
        raise Warn(f"expected the error {INVALID_PARAMS}, got {show(response)}")


@REQUESTS.must(
    "parse-error", "text that is not JSON gets -32700 with id null", source="JSON-RPC 5.1, 7"
)
def _parse_error(server: Connection) -> None:
    text = b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]'
    expect_error(server.exchange(text), PARSE_ERROR)


@REQUESTS.must(
    "invalid-method",
    "a method that is not a string gets -32600 with id null",
    source="JSON-RPC 5.1, 7",
)
def _invalid_method(server: Connection) -> None:
    text = b'{"jsonrpc": "2.0", "method": 1, "params": "bar"}'
    expect_error(server.exchange(text), INVALID_REQUEST)


@REQUESTS.should(
    "not-an-object",
    "a number, a string, true and null get -32600 with id null",
    source="JSON-RPC 4",
)
def _not_an_object(server: Connection) -> None:
    for text in (b"1", b'"text"', b"true", b"null"):
        expect_error(server.exchange(text), INVALID_REQUEST)


@REQUESTS.should("empty-object", "an empty object gets -32600 with id null", source="JSON-RPC 4")
def _empty_object(server: Connection) -> None:
    expect_error(server.exchange(b"{}"), INVALID_REQUEST)


@REQUESTS.should("missing-method", "a request without method gets -32600", source="JSON-RPC 4, 5.1")
def _missing_method(server: Connection) -> None:
    request_id = server.new_id()
    text = f'{{"jsonrpc":"2.0","id":{request_id}}}'.encode()
    expect_error(server.exchange(text), INVALID_REQUEST, ids=["null", request_id])


@REQUESTS.should(
    "wrong-version", '"jsonrpc": "3.0" and "jsonrpc": 2.0 get -32600', source="JSON-RPC 4"
)
def _wrong_version(server: Connection) -> None:
    for version in ('"3.0"', "2.0"):
        request_id = server.new_id()
        text = server.probe_text(request_id).replace(b'"2.0"', version.encode(), 1)
        expect_error(server.exchange(text), INVALID_REQUEST, ids=["null", request_id])


@REQUESTS.should(
    "missing-version",
    'without "jsonrpc", a request is answered: -32600, or as in version 1.0',
    source="JSON-RPC 3, 4",
)
def _missing_version(server: Connection) -> None:
    request_id = server.new_id()
    text = server.probe_text(request_id).replace(b'"jsonrpc":"2.0",', b"", 1)
    expect_one(server.exchange(text))


@REQUESTS.should(
    "scalar-params", "params that are neither array nor object get an error", source="JSON-RPC 4.2"
)
def _scalar_params(server: Connection) -> None:
    request_id = server.new_id()
    text = request_text(server.target.probe.method, '"bar"', request_id)
    expect_error(
        server.exchange(text),
        *(INVALID_REQUEST, INVALID_PARAMS, METHOD_NOT_FOUND),
        ids=["null", request_id],
    )


@REQUESTS.should("case", "the names of members are case-sensitive", source="JSON-RPC 2")
def _case(server: Connection) -> None:
    request_id = server.new_id()
    text = server.probe_text(request_id).replace(b'"method"', b'"METHOD"', 1)
    expect_error(server.exchange(text), INVALID_REQUEST, ids=["null", request_id])


@REQUESTS.must("member-order", "members may have any order", source="RFC 8259, 1")
def _member_order(server: Connection) -> None:
    probe, request_id = server.target.probe, server.new_id()
    text = (
        f'{{"params": {probe.params} , "method" : {compact(probe.method)},'
        f' "id":{request_id}, "jsonrpc":"2.0"}}'
    )
    expect_id(expect_one(server.exchange(text.encode())), request_id)


@REQUESTS.must("escapes", "characters may be escaped", source="RFC 8259, 7")
def _escapes(server: Connection) -> None:
    probe, request_id = server.target.probe, server.new_id()
    method = "".join(f"\\u{ord(character):04x}" for character in probe.method)
    text = request_text(probe.method, probe.params, request_id)
    text = text.replace(compact(probe.method).encode(), f'"{method}"'.encode(), 1)
    response = expect_one(server.exchange(text))
    expect_id(response, request_id)
    if server.target.call is not None and error_code(response) == METHOD_NOT_FOUND:
        raise Violation(f"the method {probe.method!r}, escaped, is not found: {show(response)}")


@REQUESTS.should("unknown-member", "unknown members of a request are ignored", source=ROBUSTNESS)
def _unknown_member(server: Connection) -> None:
    request_id = server.new_id()
    text = server.probe_text(request_id)[:-1] + b',"x-trace":{"a":[1]}}'
    response = expect_one(server.exchange(text))
    expect_id(response, request_id)
    if error_code(response) == INVALID_REQUEST:
        raise Violation(f"expected the member to be ignored, got {show(response)}")


@REQUESTS.must("pipelined", "each of many requests gets exactly one response")
def _pipelined(server: Connection) -> None:
    ids = [server.new_id() for _ in range(PIPELINED)]
    responses = server.exchange(*map(server.probe_text, ids), expected=PIPELINED)
    answered = sorted(compact(response.get("id")) for response in responses)
    if answered != sorted(ids):
        missing = len({*ids} - {*answered})
        raise Violation(
            f"expected one response to each of {PIPELINED} requests: {missing} of them have none,"
            f" and {len(answered)} responses came"
        )


@REQUESTS.should("response", "a response to no request is ignored", source=ROBUSTNESS)
def _response(server: Connection) -> None:
    texts = [
        b'{"jsonrpc":"2.0","id":"conformance-none","result":1}',
        b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid"}}',
    ]
    if responses := server.exchange(*texts, expected=0):
        raise Violation(
            "expected no response, since two that answer each other's errors never end;"
            f" got {show([*responses])}"
        )


@REQUESTS.should(
    "duplicate-member", "a member that occurs twice leads to one response", source=ROBUSTNESS
)
def _duplicate_member(server: Connection) -> None:
    request_id = server.new_id()
    text = server.probe_text(request_id).replace(b"{", b'{"method":"a",', 1)
    expect_one(server.exchange(text))


@REQUESTS.should(
    "surrogate", "an unpaired surrogate in params leads to one response", source=ROBUSTNESS
)
def _surrogate(server: Connection) -> None:
    text = request_text(server.target.probe.method, '{"text":"\\ud800"}', server.new_id())
    expect_one(server.exchange(text))
