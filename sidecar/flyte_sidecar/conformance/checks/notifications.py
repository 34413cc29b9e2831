"""Notifications: the server must not reply to them, whatever is wrong with them."""

from __future__ import annotations

from flyte_sidecar.conformance.check import Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_none
from flyte_sidecar.conformance.messages import request_text
from flyte_sidecar.conformance.target import UNKNOWN_METHOD, Call

NOTIFICATIONS = Group("notifications", source="JSON-RPC 4.1")


def _expect_silence(server: Connection, *calls: Call) -> None:
    texts = [request_text(call.method, call.params, None) for call in calls]
    expect_none(server.exchange(*texts, expected=0))


@NOTIFICATIONS.must("unknown-method", "a notification of an unknown method is not answered")
def _unknown_method(server: Connection) -> None:
    _expect_silence(server, Call(UNKNOWN_METHOD, "{}"))


@NOTIFICATIONS.must("known-method", "a notification of a method is not answered", needs="call")
def _known_method(server: Connection) -> None:
    assert server.target.call is not None
    _expect_silence(server, server.target.call)


@NOTIFICATIONS.must(
    "invalid-params", "a notification with invalid params is not answered", needs="invalid"
)
def _invalid_params(server: Connection) -> None:
    assert server.target.invalid is not None
    _expect_silence(server, server.target.invalid)


@NOTIFICATIONS.must("many", "100 notifications are not answered, and the next request is")
def _many(server: Connection) -> None:
    _expect_silence(server, *[Call(UNKNOWN_METHOD, "[1]")] * 100)
