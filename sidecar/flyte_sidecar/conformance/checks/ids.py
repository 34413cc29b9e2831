"""Ids of requests and responses."""

from __future__ import annotations

from flyte_sidecar.conformance.check import ROBUSTNESS, Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_error, expect_id, expect_one, show
from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.messages import INVALID_REQUEST, error_code, parse, same_id

IDS = Group("ids", source="JSON-RPC 4, 5")

NOT_IN_LSP = "ids are strings and integers of 32 bits there"


def _expect_echo(server: Connection, *ids: str) -> None:
    for request_id in ids:
        expect_id(expect_one(server.exchange(server.probe_text(request_id))), request_id)


@IDS.must("string", "a string is returned as it is")
def _string(server: Connection) -> None:
    _expect_echo(server, '"a"', '"1"', '"a b/c:d"')


@IDS.must("integer", "an integer is returned as a number")
def _integer(server: Connection) -> None:
    _expect_echo(server, "1", "2147483647")


@IDS.must("zero", "0 is an id")
def _zero(server: Connection) -> None:
    _expect_echo(server, "0")


@IDS.must("negative", "a negative integer is an id")
def _negative(server: Connection) -> None:
    _expect_echo(server, "-1")


@IDS.must("empty-string", "an empty string is an id")
def _empty_string(server: Connection) -> None:
    _expect_echo(server, '""')


@IDS.must("unicode", "all characters of a string are kept")
def _unicode(server: Connection) -> None:
    _expect_echo(server, '"é 大 😀 \\" \\\\ \\u0001"')


@IDS.must("long-string", "a string of 1,000 characters is kept")
def _long_string(server: Connection) -> None:
    _expect_echo(server, f'"{"x" * 1000}"')


@IDS.must("53-bits", "integers that doubles represent exactly are kept", not_in_lsp=NOT_IN_LSP)
def _53_bits(server: Connection) -> None:
    _expect_echo(server, str(2**53 - 1), str(-(2**53) + 1))


@IDS.should(
    "large-integer",
    "integers beyond 53 and 64 bits keep all digits",
    source="JSON-RPC 5; RFC 8259, 6",
    not_in_lsp=NOT_IN_LSP,
)
def _large_integer(server: Connection) -> None:
    _expect_echo(server, str(2**53 + 1), str(2**63 - 1), "123456789012345678901234567890")


@IDS.should(
    "fraction",
    "a number with a fraction is returned as it is, or gets -32600",
    not_in_lsp=NOT_IN_LSP,
)
def _fraction(server: Connection) -> None:
    for request_id in ("1.5", "-0.25"):
        response = expect_one(server.exchange(server.probe_text(request_id)))
        if response.get("id") is not None or error_code(response) != INVALID_REQUEST:
            expect_id(response, request_id)


@IDS.should("null", "a request with id null is answered with id null", not_in_lsp=NOT_IN_LSP)
def _null(server: Connection) -> None:
    _expect_echo(server, "null")


@IDS.should("wrong-type", "an id that is an object, an array or a bool gets -32600 with id null")
def _wrong_type(server: Connection) -> None:
    malformed = server.observations.malformed
    already = len(malformed)
    try:
        for request_id in ("{}", "[1]", "true"):
            expect_error(server.exchange(server.probe_text(request_id)), INVALID_REQUEST)
    finally:
        del malformed[already:]  # an id that is returned is this failure, and no other one


@IDS.must("distinct-types", '1 and "1" are two ids, also at the same time')
def _distinct_types(server: Connection) -> None:
    ids = ("7", '"7"')
    responses = server.exchange(*map(server.probe_text, ids), expected=2)
    for request_id in ids:
        expected = parse(request_id.encode())
        if sum(same_id(response.get("id"), expected) for response in responses) != 1:
            raise Violation(
                f"expected one response with the id {request_id}, got {show(responses)}"
            )


@IDS.should(
    "duplicate",
    "two requests in flight with one id get two responses, or one of them an error",
    source=ROBUSTNESS,
)
def _duplicate(server: Connection) -> None:
    request_id = server.new_id()
    text = server.probe_text(request_id)
    responses = server.exchange(text, text, expected=2)
    if len(responses) != 2:
        raise Violation(f"expected two responses, got {show(responses)}")
