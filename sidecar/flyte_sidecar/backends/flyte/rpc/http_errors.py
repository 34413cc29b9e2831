"""Why HTTP requests fail: the connection, or a package that they need."""

from __future__ import annotations

import os
import ssl

from flyte_sidecar.backends.flyte.rpc import tunnel
from flyte_sidecar.backends.flyte.rpc.error_translation import NOT_PINNED, TLS_HANDSHAKE_FAILED
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError


def connection_failure(error: BaseException, *, pinned: bool, connect_timeout: float) -> str:
    """Return why a connection could not be made, or broke.

    Parameters
    ----------
    pinned
        Whether only one certificate of the server is accepted.
    connect_timeout
        The timeout of a connection, in seconds.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{NOT_PINNED if pinned else TLS_HANDSHAKE_FAILED}: {cause}"
        if isinstance(cause, ssl.SSLError):
            # After the handshake, a failure does not mean that the options are wrong.
            connecting = type(error).__name__ == "ConnectError"
            return f"{TLS_HANDSHAKE_FAILED}: {cause}" if connecting else "the connection broke"
        if isinstance(cause, OSError) and cause.errno is not None:
            # asyncio replaces the description of positive numbers by one with addresses.
            return os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
        if isinstance(cause, tunnel.ProxyFailed):
            return str(cause)
        cause = _cause(cause)
    if type(error).__name__ == "ConnectTimeout":
        return f"not connected within {connect_timeout:g} s"
    return "the connection broke"


def missing_package(error: ImportError | OSError) -> RpcError:
    """Return the error that names a missing package of the extra `flyte`, and the remedy.

    An OSError says why its files cannot be read now: no file descriptor may be left.
    """
    if isinstance(error, OSError):
        return RpcError("UNAVAILABLE", f"a package cannot be read: {error.strerror}")
    name = (error.name or "a package").partition(".")[0]
    remedy = "pip install 'flyte-sidecar[flyte]'"
    return RpcError("FAILED_PRECONDITION", f"{name} is not installed: run {remedy}")


def _cause(error: BaseException) -> BaseException | None:
    """Return the error that caused one of httpcore's, which its pool raises "from None"."""
    inner = error.args[0] if error.args else None
    return error.__cause__ or (inner if isinstance(inner, BaseException) else None)
