"""Headers that authenticate requests, checked before they are sent."""

from __future__ import annotations

import re

from msgspec import DecodeError, json

from flyte_sidecar.backends.flyte.auth.authorization import Authorization, Headers
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

AUTHORIZATION = "authorization"
PROXY_AUTHORIZATION = "proxy-authorization"

_TOKEN = re.compile(r"[!-~]+")
_NAME = re.compile(r"(?!grpc-)[0-9a-z_.-]+(?<!-bin)")
"""What gRPC accepts as the name of a header with text, in lower case."""
_VALUE = re.compile(r"[ -~]*")


def is_token(text: str) -> bool:
    """Return whether a token can be sent in a header."""
    return _TOKEN.fullmatch(text) is not None


def is_header_name(text: str) -> bool:
    """Return whether a header can have this name."""
    return _NAME.fullmatch(text) is not None


def bearer(header: str, token: str, source: str) -> Authorization:
    """Return the header with a token; `source` names what supplied the token.

    Raises
    ------
    RpcError
        If the token cannot be sent. The message does not contain it.
    """
    if not is_token(token):
        reason = "contains characters that are not allowed in a header" if token else "is empty"
        raise RpcError("UNAUTHENTICATED", f"the token from {source} {reason}")
    return Authorization(Secret(((header, f"Bearer {token}"),)))


def parse_headers(text: str, source: str) -> Authorization:
    """Return the headers in a JSON object, or in lines ``name: value``.

    Raises
    ------
    RpcError
        If there are none, or one of them cannot be sent. The message does not contain a value.
    """
    headers = _from_json(text) if text.lstrip().startswith("{") else _from_lines(text)
    if not headers:
        expected = "a JSON object of strings, or lines `name: value`"
        raise RpcError("UNAUTHENTICATED", f"{source} must contain headers as {expected}")
    for name, value in headers:
        if not is_header_name(name) or not _VALUE.fullmatch(value):
            raise RpcError("UNAUTHENTICATED", f"{source} contains a header that cannot be sent")
    return Authorization(Secret(headers))


def _from_json(text: str) -> Headers:
    try:
        members = json.decode(text, type=dict[str, str])
    except (DecodeError, UnicodeEncodeError):
        return ()
    return tuple((name.lower(), value) for name, value in members.items())


def _from_lines(text: str) -> Headers:
    lines = [line.partition(":") for line in text.splitlines() if line.strip()]
    if not all(separator for _, separator, _ in lines):
        return ()
    return tuple((name.strip().lower(), value.strip()) for name, _, value in lines)
