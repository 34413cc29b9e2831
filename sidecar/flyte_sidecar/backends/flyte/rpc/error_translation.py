"""Failed calls as errors of the contract, and which failures are transient.

`retry` retries calls after transient failures, with the delays of `Timing.backoff`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, LimitExceeded, RpcError
from flyte_sidecar.errors import (
    BackendError,
    BackendUnavailable,
    DeadlineExceeded,
    PermissionDenied,
    SidecarError,
    Unauthenticated,
    UnsupportedByBackend,
)

_REJECTED = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "OUT_OF_RANGE")
"""Statuses of a request that the backend did not execute, as errors report with `outcome`."""

_NOT_EXECUTED = (*_REJECTED, "UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED")
"""All statuses of a request that was not executed."""

_RECOVERABLE = (
    *("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED"),
    *("UNKNOWN", "INTERNAL", "CANCELLED"),
)
"""Statuses after which a watch goes on, even if the same call would fail again."""

_OVERLOADED = ("RESOURCE_EXHAUSTED", "ABORTED")
"""Statuses of a request that may succeed later."""

_SQLSTATE = re.compile(r"SQLSTATE (\w{5})")
_DATABASE_FAILURE_STATES = re.compile(r"08...|57P0[1235]|53300|40001|40P01")
"""Broken or refused connections, a database that stops or starts, conflicts of transactions."""

_DATABASE_FAILURE = re.compile(
    r"bad connection|broken pipe|unexpected EOF|: EOF$|timed? ?out|context deadline exceeded"
    r"|connection (is |was )?(already )?(reset|refused|closed)|closed (the|network) connection"
    r"|conn closed|failed to connect to|no route to host|network is unreachable|no such host"
    r"|terminating connection|the database system is|not (yet )?accepting connections"
    r"|too many (clients|connections)|remaining connection slots"
)
"""What database drivers and PostgreSQL report, without a SQLSTATE, of a failed connection."""

_INVALID_VALUE = re.compile(r"\binvalid \w+ (syntax|byte sequence|value)|out of range")
"""What they report of an invalid value, which may be quoted and match the expression above."""

_ROW_NOT_READ = "failed to get "
"""What the backend reports with NOT_FOUND if it failed to read a row from its database."""

OVER_CONNECT = "; over Connect: "
"""Separates the failure of gRPC from that of Connect, if both were tried."""

TLS_HANDSHAKE_FAILED = "TLS handshake failed"
NOT_PINNED = "not the pinned certificate"

_TLS_FAILURES = (
    ("certificate has expired", "the server's certificate has expired"),
    (NOT_PINNED, "the server's certificate changed after it was pinned: restart the sidecar"),
    ("Hostname mismatch", "the server's certificate is for another host"),
    ("IP address mismatch", "the server's certificate is for another host"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "the server's certificate is not trusted: set the option ca-cert-file to that of its CA",
    ),
    ("not in peer certificate", "the server's certificate is for another host"),
    ("Hostname Verification Check failed", "the server's certificate is for another host"),
    ("WRONG_VERSION_NUMBER", "the server does not use TLS: set the option insecure"),
    (TLS_HANDSHAKE_FAILED, "the server may not use TLS: set the option insecure in that case"),
)
"""What gRPC's C core, OpenSSL or the transport reports when TLS fails, and what it means."""

_NO_GRPC = re.compile(
    r"Received http2 header with status: (?!401|403)[1-4]"
    r"|Data frame with END_STREAM flag received|Failed parsing HTTP/2"
    r"|Trying to connect an http1\.x server|missing selected ALPN property|NO_APPLICATION_PROTOCOL"
)
"""What gRPC's C core reports if a web server, such as a console, responds in its own way."""

_GRPC_PREFIX = re.compile(r"failed to connect to all addresses; last error: [A-Z_]+: ")
"""The part of gRPC's message that only repeats that it could not connect."""

_SOCKET_CLOSED = ": Socket closed"
"""What gRPC's C core reports when the server disconnects before its first HTTP/2 frame."""


def is_unreachable(error: RpcError) -> bool:
    """Return whether the backend could not be reached, but may be at the next attempt."""
    return error.status == "UNAVAILABLE" and _tls_failure(error) is None


def is_transient(error: RpcError) -> bool:
    """Return whether the same call may succeed if it is retried soon."""
    return is_unreachable(error) or isinstance(error, InvalidResponse) or is_database_failure(error)


def is_database_failure(error: RpcError) -> bool:
    """Return whether the backend failed to use its database, not because of an invalid value."""
    if error.status not in ("INTERNAL", "UNKNOWN"):
        return False
    state = _SQLSTATE.search(error.message)
    if state is not None:
        return _DATABASE_FAILURE_STATES.fullmatch(state[1]) is not None
    match = _DATABASE_FAILURE.search(error.message)
    return match is not None and _INVALID_VALUE.search(error.message) is None


def may_recover(error: RpcError) -> bool:
    """Return whether a watch or a wait should go on after the error."""
    permanent = _is_over_limit(error) or _tls_failure(error) is not None
    return error.status in _RECOVERABLE and not permanent


def with_corrected_status(error: RpcError) -> RpcError:
    """Return the error with the right status if the backend sent a wrong one.

    Without its database, the backend reports every action and every run as NOT_FOUND.
    """
    if error.status == "NOT_FOUND" and _ROW_NOT_READ in error.message:
        return RpcError("INTERNAL", error.message)
    return error


def unconfirmed_attempt(error: RpcError) -> RpcError | None:
    """Return the error of the first attempt at a write that may have been executed.

    None if no attempt can have been. A rejection says nothing about earlier attempts, since a
    proxy may have sent it.
    """
    return error.unconfirmed or (None if error.status in _NOT_EXECUTED else error)


@contextmanager
def translate_errors(address: str) -> Iterator[None]:
    """Raise an error of the contract for an `RpcError` that is raised inside."""
    try:
        yield
    except RpcError as error:
        raise as_error(error, address) from error


def retryable_error(error: RpcError, address: str) -> SidecarError:
    """Return the error that subscribers receive while the sidecar itself retries."""
    translated = as_error(error, address)
    translated.retryable = True
    return translated


def as_error(error: RpcError, address: str) -> SidecarError:
    """Return the contract's error for a call to the address that failed."""
    status = error.status
    message = _GRPC_PREFIX.sub("", error.message.strip()) or "no reason given"
    if _NO_GRPC.search(message):
        message += (
            "; the server does not respond with gRPC: the endpoint may be that of a web console"
            " instead of the API, or of an ingress that does not pass gRPC"
        )
        if OVER_CONNECT not in message:
            message += "; for such an ingress, set the option transport to auto"
    outcome = _outcome(error)
    data = {"grpcStatus": status, **outcome}
    if status == "UNAVAILABLE":
        tls_failure = _tls_failure(error)
        if tls_failure is not None:
            untrusted = BackendUnavailable(f"{address}: {tls_failure} ({message})", **data)
            untrusted.retryable = False
            return untrusted
        if _SOCKET_CLOSED in error.message:
            message += "; if the server uses TLS, remove the option insecure"
        return BackendUnavailable(f"{address} cannot be reached: {message}", **data)
    if status == "DEADLINE_EXCEEDED":
        return DeadlineExceeded(f"{address} did not respond in time", **outcome)
    if status == "UNAUTHENTICATED":
        return Unauthenticated(f"{address}: authentication failed: {message}", **data)
    if status == "PERMISSION_DENIED":
        return PermissionDenied(f"{address}: permission denied: {message}", **data)
    if status == "UNIMPLEMENTED":
        return UnsupportedByBackend(f"{address} does not support this: {message}", **data)
    failed = BackendError(f"{address}: {message}", message=message, **data)
    overloaded = status in _OVERLOADED and not _is_over_limit(error)
    failed.retryable = overloaded or is_transient(error)
    return failed


def _outcome(error: RpcError) -> dict[str, str]:
    """Return the `outcome` of a failed write for the error's data; empty if it is undetermined."""
    if error.unconfirmed is not None:
        return {"outcome": "unknown"}
    return {"outcome": "none"} if error.status in _REJECTED else {}


def _is_over_limit(error: RpcError) -> bool:
    """Return whether the server sent too much, by our limits or by gRPC's."""
    return isinstance(error, LimitExceeded) or "larger than max" in error.message


def _tls_failure(error: RpcError) -> str | None:
    """Return why no TLS connection was made, and the remedy; None if that is not the cause."""
    return next((cause for mark, cause in _TLS_FAILURES if mark in error.message), None)
