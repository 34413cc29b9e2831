"""The HTTP requests that open a connection through a proxy."""

from __future__ import annotations

from flyte_sidecar.backends.flyte.proxy import Proxy

END_OF_HEAD = b"\r\n\r\n"

MAX_HEAD_BYTES = 1 << 16
"""Maximum size of the head of a proxy's response, in bytes."""

_MAX_STATUS_LENGTH = 200
"""Maximum length of a status line in an error."""


class ProxyFailed(OSError):
    """A proxy did not connect; the message says why."""


def connect_request(proxy: Proxy, address: str) -> bytes:
    """Return the request that connects a proxy to an address."""
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    return "\r\n".join([*lines, "", ""]).encode()


def check_connected(head: bytes) -> None:
    """Raise `ProxyFailed` unless the head of a proxy's response reports a connection."""
    status = head.partition(b"\r\n")[0].decode("latin-1")
    if not head.endswith(END_OF_HEAD):
        raise ProxyFailed("the proxy sent no HTTP response")
    if status.split(" ")[1:2] != ["200"]:
        raise ProxyFailed(f"the proxy responded with {status[:_MAX_STATUS_LENGTH]!r}")
