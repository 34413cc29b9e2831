"""Streams of bytes: messages in pieces, and bytes that are no text."""

from __future__ import annotations

import time

from flyte_sidecar.conformance.check import Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_error, expect_id, expect_one, show
from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.messages import PARSE_ERROR, compact, request_text

STREAM = Group("stream")

PAUSE = 0.001
"""Seconds between two bytes."""

TEXT = '{"text":"é 大 😀"}'
"""Params with characters of two, three and four bytes."""


@STREAM.should("many-in-one-write", "messages that arrive in one piece are all answered")
def _many_in_one_write(server: Connection) -> None:
    ids = [server.new_id() for _ in range(3)]
    responses = server.exchange(*map(server.probe_text, ids), expected=3)
    found = sorted(compact(response.get("id")) for response in responses)
    if found != sorted(ids):
        raise Violation(f"expected the ids {', '.join(ids)}, got {show(responses)}")


@STREAM.should("single-bytes", "a message may arrive byte by byte")
def _single_bytes(server: Connection) -> None:
    expect_one(server.exchange(request_text(server.target.probe.method, TEXT, server.new_id())))
    request_id = server.new_id()
    text = request_text(server.target.probe.method, TEXT, request_id)
    data = server.frame(text)
    server.write(data[:1])
    time.sleep(server.target.settle_time)  # so that the server, which has started, reads it alone
    for index in range(1, len(data) - 1):
        server.write(data[index : index + 1])
        time.sleep(PAUSE)
    responses = server.exchange_bytes(data[-1:])
    expect_id(expect_one(responses), request_id)


@STREAM.should("utf-8", "messages are UTF-8, and lengths are in bytes")
def _utf_8(server: Connection) -> None:
    request_id = server.new_id()
    text = request_text(server.target.probe.method, TEXT, request_id)
    expect_id(expect_one(server.exchange(text)), request_id)


@STREAM.should("invalid-utf-8", "bytes that are not UTF-8 get -32700, and the next is answered")
def _invalid_utf_8(server: Connection) -> None:
    request_id = server.new_id()
    text = request_text(server.target.probe.method, '{"text":"@"}', request_id)
    responses = server.exchange(text.replace(b"@", b"\xff\xfe"))
    expect_error(responses, PARSE_ERROR, ids=["null", request_id])


@STREAM.should("byte-order-mark", "a byte order mark is ignored, or gets one error")
def _byte_order_mark(server: Connection) -> None:
    expect_one(server.exchange(b"\xef\xbb\xbf" + server.probe_text(server.new_id())))


@STREAM.should("white-space", "white space around a message is ignored")
def _white_space(server: Connection) -> None:
    request_id = server.new_id()
    text = b" \t" + server.probe_text(request_id) + b" \t "
    expect_id(expect_one(server.exchange(text)), request_id)
