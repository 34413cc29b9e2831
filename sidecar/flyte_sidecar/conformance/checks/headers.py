"""Framing by LSP's headers."""

from __future__ import annotations

import time

from flyte_sidecar.conformance.check import ROBUSTNESS, Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_id, expect_one
from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.messages import METHOD_NOT_FOUND, error_code, parse, same_id

HEADERS = Group("headers", source="LSP, header part", framing="header")

HUGE = 1 << 40
"""A length in bytes that no server should allocate before the bytes arrive."""

MAX_GROWTH = 256 << 20
"""Bytes by which the memory of the server may grow then."""

GROWTH_TIME = 1.0
"""Seconds in which it may do so."""


def _expect_accepted(server: Connection, *headers: bytes) -> None:
    """Verify that requests with these headers, in which %d is their length, are answered."""
    for header in headers:
        request_id = server.new_id()
        text = server.probe_text(request_id)
        data = header.replace(b"%d", b"%d" % len(text)) + b"\r\n\r\n" + text
        expect_id(expect_one(server.exchange_bytes(data)), request_id)


def _expect_no_stall(server: Connection, header: bytes) -> None:
    """Verify that after a header without a usable length, something happens.

    The start of the next message is unknown. The server may find it, send an error or exit.
    """
    server.check_alive()
    request_id = server.new_id()
    server.write(header + b"\r\n\r\n")
    server.send(server.probe_text(request_id))
    found = server.collect(bool, server.target.timeout)
    status = server.process.wait_for_exit(server.target.settle_time)
    if not found and status is None and not server.process.at_end:
        raise Violation(
            f"after the header {header.decode()!r}, the server neither responds nor exits"
        )
    mine = parse(request_id.encode())
    answered = any(isinstance(one, dict) and same_id(one.get("id"), mine) for one in found)
    if status is not None and status < 0 and not answered:
        raise Violation(f"the server was ended by signal {-status}")


@HEADERS.should("case", "the case of header names does not matter")
def _case(server: Connection) -> None:
    _expect_accepted(server, b"content-length: %d", b"CONTENT-LENGTH: %d")


@HEADERS.should("space", "the space after the colon may be missing, or be more than one")
def _space(server: Connection) -> None:
    _expect_accepted(server, b"Content-Length:%d", b"Content-Length:   %d  ")


@HEADERS.should("content-type", "a Content-Type of UTF-8 is accepted, before or after the length")
def _content_type(server: Connection) -> None:
    kind = b"Content-Type: application/vscode-jsonrpc; charset="
    _expect_accepted(
        server,
        b"Content-Length: %d\r\n" + kind + b"utf-8",
        kind + b"utf-8\r\nContent-Length: %d",
    )


@HEADERS.should("utf8", "the charset utf8 is accepted too")
def _utf8(server: Connection) -> None:
    kind = b"Content-Type: application/vscode-jsonrpc; charset=utf8"
    _expect_accepted(server, b"Content-Length: %d\r\n" + kind)


@HEADERS.should("other-charset", "a message with another charset gets an error")
def _other_charset(server: Connection) -> None:
    text = server.probe_text(server.new_id())
    header = b"Content-Type: application/vscode-jsonrpc; charset=utf-16\r\n"
    data = header + server.frame(text)
    response = expect_one(server.exchange_bytes(data))
    if error_code(response) in (None, METHOD_NOT_FOUND):
        raise Violation("the charset is ignored, and the message is read as UTF-8")


@HEADERS.should("unknown-header", "other headers are ignored")
def _unknown_header(server: Connection) -> None:
    _expect_accepted(server, b"X-Trace: a, b\r\nContent-Length: %d")


@HEADERS.should("empty-message", "an empty message is ignored or gets one error", source=ROBUSTNESS)
def _empty_message(server: Connection) -> None:
    if len(server.exchange(b"", expected=0)) > 1:
        raise Violation("expected at most one response")


@HEADERS.should(
    "missing-length", "a header without a length does not stall", source=ROBUSTNESS, is_fresh=True
)
def _missing_length(server: Connection) -> None:
    _expect_no_stall(server, b"Content-Type: application/vscode-jsonrpc; charset=utf-8")


@HEADERS.should(
    "negative-length", "a negative length does not stall", source=ROBUSTNESS, is_fresh=True
)
def _negative_length(server: Connection) -> None:
    _expect_no_stall(server, b"Content-Length: -5")


@HEADERS.should(
    "no-number", "a length that is no number does not stall", source=ROBUSTNESS, is_fresh=True
)
def _no_number(server: Connection) -> None:
    _expect_no_stall(server, b"Content-Length: 1x")


@HEADERS.should(
    "two-lengths", "two different lengths do not stall", source=ROBUSTNESS, is_fresh=True
)
def _two_lengths(server: Connection) -> None:
    _expect_no_stall(server, b"Content-Length: 2\r\nContent-Length: 3")


@HEADERS.should(
    "huge-length",
    "memory is not allocated before the bytes arrive",
    source=ROBUSTNESS,
    is_fresh=True,
)
def _huge_length(server: Connection) -> None:
    server.check_alive()
    before = server.process.memory()
    server.write(b"Content-Length: %d\r\n\r\n{" % HUGE)
    deadline = time.monotonic() + GROWTH_TIME
    while time.monotonic() < deadline:
        grown = server.process.memory() - before
        if grown > MAX_GROWTH:
            raise Violation(f"the memory of the server grows by {grown >> 20} MiB")
        time.sleep(GROWTH_TIME / 10)
