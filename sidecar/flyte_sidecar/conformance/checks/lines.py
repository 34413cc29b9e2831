"""Framing by lines."""

from __future__ import annotations

from flyte_sidecar.conformance.check import Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_id, expect_none, expect_one
from flyte_sidecar.conformance.messages import request_text

LINES = Group("lines", framing="line")


@LINES.should("crlf", "a line may end in CRLF")
def _crlf(server: Connection) -> None:
    request_id = server.new_id()
    responses = server.exchange_bytes(server.probe_text(request_id) + b"\r\n")
    expect_id(expect_one(responses), request_id)


@LINES.should("blank", "blank lines are ignored")
def _blank(server: Connection) -> None:
    expect_none(server.exchange_bytes(b"\n\r\n \n", expected=0))


@LINES.should("other-line-ends", "U+2028 and U+0085 in a string do not end a line")
def _other_line_ends(server: Connection) -> None:
    request_id = server.new_id()
    text = request_text(server.target.probe.method, '{"text":"a\u2028b\u0085c"}', request_id)
    expect_id(expect_one(server.exchange(text)), request_id)


@LINES.should("no-line-end", "the last line is answered without a line end", is_fresh=True)
def _no_line_end(server: Connection) -> None:
    server.check_alive()
    request_id = server.new_id()
    server.write(server.probe_text(request_id))
    server.process.end_input()
    expect_id(expect_one(server.collect_all(server.target.timeout)), request_id)


@LINES.should("two-in-a-line", "two messages in a line get one error")
def _two_in_a_line(server: Connection) -> None:
    text = server.probe_text(server.new_id()) + server.probe_text(server.new_id())
    expect_one(server.exchange(text))
