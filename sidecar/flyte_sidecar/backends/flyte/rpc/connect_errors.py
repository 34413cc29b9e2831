"""Errors of the Connect protocol, and of web servers that do not speak it."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from msgspec import Struct

from flyte_sidecar.backends.flyte.rpc.http_client import HttpResponse
from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, RpcError
from flyte_sidecar.events.plain_text import sanitize

MAX_MESSAGE_LENGTH = 10_000
"""Maximum length of the message of an error, in characters."""

_STATUSES = {
    code: "CANCELLED" if code == "canceled" else code.upper()
    for code in (
        *("canceled", "unknown", "invalid_argument", "deadline_exceeded", "not_found"),
        *("already_exists", "permission_denied", "resource_exhausted", "failed_precondition"),
        *("aborted", "out_of_range", "unimplemented", "internal", "unavailable", "data_loss"),
        "unauthenticated",
    )
}
"""The gRPC status for each code of an error."""

_HTTP_STATUSES = {
    400: "INTERNAL",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    429: "UNAVAILABLE",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}
"""The gRPC status for each HTTP status of a response without such a code; others are UNKNOWN."""

_REDIRECTED = (301, 302, 303, 307, 308, 400)
"""The HTTP statuses of servers that require TLS, or of proxies that require a login."""


class WebPage(RpcError):
    """The server responded with a web page and not as an API."""

    def __init__(self, description: str) -> None:
        message = f"the endpoint is a web console and not the API: it responded with {description}"
        super().__init__("FAILED_PRECONDITION", message)


class _Error(Struct):
    code: str | None = None
    message: str | None = None


class _EndOfStream(Struct):
    error: _Error | None = None


_decode_error = msgspec.json.Decoder(_Error).decode
_decode_end = msgspec.json.Decoder(_EndOfStream).decode


def is_connect(response: HttpResponse) -> bool:
    """Return whether a response to a call that is not a stream is one of the Connect protocol."""
    if response.status == 200:
        return response.content_type == "application/proto"
    return _parsed(response).code in _STATUSES


def error_of(response: HttpResponse) -> RpcError:
    """Return the error that a response reports, or why it is none of the Connect protocol."""
    if _is_console(response):
        return WebPage(_description(response))
    described = f"the server responded with {_description(response)}"
    if response.status == 200:
        return InvalidResponse(described)
    error = _parsed(response)
    if error.code is None and response.status in _REDIRECTED:
        described += ": it may require TLS (remove the option insecure), or a login in a browser"
    status = _STATUSES.get(error.code or "") or _HTTP_STATUSES.get(response.status, "UNKNOWN")
    return RpcError(status, (error.message or described)[:MAX_MESSAGE_LENGTH])


def error_at_end(message: bytes) -> RpcError | None:
    """Return the error in the message that ends a stream; None if it ends without one.

    Raises
    ------
    InvalidResponse
        If the message cannot be decoded.
    """
    try:
        error = _decode_end(message).error
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise InvalidResponse("the end of the stream cannot be decoded") from None
    if error is None:
        return None
    status = _STATUSES.get(error.code or "", "UNKNOWN")
    return RpcError(status, (error.message or "no reason given")[:MAX_MESSAGE_LENGTH])


def _is_console(response: HttpResponse) -> bool:
    """Return whether a response is a web page, but not of a login or of a gateway."""
    status = response.status
    excluded = status in (401, 403, *_REDIRECTED) or status >= 500
    return response.content_type == "text/html" and not excluded


def _parsed(response: HttpResponse) -> _Error:
    """Return the error in the body of a response; without members if there is none."""
    if response.content_type != "application/json":
        return _Error()
    try:
        return _decode_error(response.body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _Error()


def _description(response: HttpResponse) -> str:
    try:
        phrase = f" {HTTPStatus(response.status).phrase}"
    except ValueError:
        phrase = ""
    content_type = sanitize(response.content_type[:100]) or "no content type"
    return f"HTTP status {response.status}{phrase} ({content_type})"
