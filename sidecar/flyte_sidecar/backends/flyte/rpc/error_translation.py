"""What calls fail with, as the errors of the contract."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from flyte_sidecar.backends.flyte.rpc.transport import InvalidResponse, LimitExceeded, RpcError
from flyte_sidecar.errors import (
    BackendError,
    BackendUnavailable,
    DeadlineExceeded,
    PermissionDenied,
    SidecarError,
    Unauthenticated,
    UnsupportedByBackend,
)

REFUSED = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "OUT_OF_RANGE")
"""Answers after which it is certain that nothing has happened."""

_REJECTED = (*REFUSED, "UNIMPLEMENTED", "UNAUTHENTICATED", "PERMISSION_DENIED")
"""Statuses of a request that was rejected before it was executed."""

FOLLOWED_ON = (
    *("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED"),
    *("UNKNOWN", "INTERNAL", "CANCELLED"),
)
"""Failures that need not last, though sending the same again may not be what helps."""

_PASSING = ("RESOURCE_EXHAUSTED", "ABORTED")
"""Answers that are no refusal for good."""

_SQLSTATE = re.compile(r"SQLSTATE (\w{5})")
_LOST_DATABASE_STATES = re.compile(r"08...|57P0[1235]|53300|40001|40P01")
"""A broken or refused connection, a server that stops or starts, a conflict of transactions."""

_LOST_DATABASE = re.compile(
    r"bad connection|broken pipe|unexpected EOF|: EOF$|timed? ?out|context deadline exceeded"
    r"|connection (is |was )?(already )?(reset|refused|closed)|closed (the|network) connection"
    r"|conn closed|failed to connect to|no route to host|network is unreachable|no such host"
    r"|terminating connection|the database system is|not (yet )?accepting connections"
    r"|too many (clients|connections)|remaining connection slots"
)
"""What database drivers and PostgreSQL report, without a SQLSTATE, of a connection that failed."""

_UNREAD = "failed to get "
"""What the backend reports, with NOT_FOUND, of a row that its database did not let it read."""

_WRONG_VALUE = re.compile(r"\binvalid \w+ (syntax|byte sequence|value)|out of range")
"""What they report of a value, which they may quote."""

_DISTRUST = (
    ("certificate has expired", "its certificate has expired"),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted: name its CA file"),
    ("not in peer certificate", "its certificate is for another host"),
    ("Hostname Verification Check failed", "its certificate is for another host"),
    ("WRONG_VERSION_NUMBER", "it speaks no TLS: was insecure meant?"),
    ("shows no certificate", "it speaks no TLS, or is not there"),
)
"""What gRPC's C core says when a TLS handshake fails, and what to do about it."""

_HUNG_UP = ": Socket closed"
"""What it says when the other end hangs up on plaintext before a word of its own."""


def is_unreachable(failure: RpcError) -> bool:
    """Tell whether the backend was not reached, and may be at the next attempt."""
    return failure.status == "UNAVAILABLE" and _distrust(failure) is None


def is_transient(failure: RpcError) -> bool:
    """Return whether the same call may succeed if it is retried soon."""
    return (
        is_unreachable(failure)
        or isinstance(failure, InvalidResponse)
        or is_database_failure(failure)
    )


def with_corrected_status(failure: RpcError) -> RpcError:
    """Return the failure with another status where the backend sends a wrong one.

    While its database is lost, it reports every action and run as NOT_FOUND.
    """
    if failure.status == "NOT_FOUND" and _UNREAD in failure.message:
        return RpcError("INTERNAL", failure.message)
    return failure


def unconfirmed_attempt(failure: RpcError) -> RpcError | None:
    """Return the first attempt at a write that may have been executed; None if all were rejected.

    A rejection says nothing about earlier attempts: a proxy may have sent it.
    """
    return failure.unconfirmed or (None if failure.status in _REJECTED else failure)


def may_recover(failure: RpcError) -> bool:
    """Tell whether who follows something should go on to do so."""
    lasts = _is_over_limit(failure) or _distrust(failure) is not None
    return failure.status in FOLLOWED_ON and not lasts


def retryable_error(failure: RpcError, address: str) -> SidecarError:
    """Give the error of a failure that may pass, to one who is told of it meanwhile."""
    error = as_error(failure, address)
    error.retryable = True
    return error


@contextmanager
def translate_errors(address: str) -> Iterator[None]:
    """Turn a `RpcError` that is raised inside into an error of the contract."""
    try:
        yield
    except RpcError as failure:
        raise as_error(failure, address) from failure


def as_error(failure: RpcError, address: str) -> SidecarError:
    """Give the contract's error for a call that failed at the address."""
    status, said = failure.status, failure.message.strip() or "no word of why"
    outcome = _outcome(failure)
    data = {"grpcStatus": status, **outcome}
    if status == "UNAVAILABLE":
        distrust = _distrust(failure)
        if distrust is not None:
            error = BackendUnavailable(f"{address}: {distrust} ({said})", **data)
            error.retryable = False
            return error
        hint = "; does it speak TLS?" if _HUNG_UP in said else ""
        return BackendUnavailable(f"{address} cannot be reached: {said}{hint}", **data)
    if status == "DEADLINE_EXCEEDED":
        return DeadlineExceeded(f"{address} did not answer in time", **outcome)
    if status == "UNAUTHENTICATED":
        return Unauthenticated(f"{address} does not know who asks: {said}", **data)
    if status == "PERMISSION_DENIED":
        return PermissionDenied(f"{address} refuses: {said}", **data)
    if status == "UNIMPLEMENTED":
        return UnsupportedByBackend(f"{address} cannot do this: {said}", **data)
    refused = BackendError(f"{address}: {said}", message=said, **data)
    passes = status in _PASSING and not _is_over_limit(failure)
    refused.retryable = passes or is_transient(failure)
    return refused


def _outcome(failure: RpcError) -> dict[str, str]:
    """Return what is certain about a write that failed, as members of the error's data."""
    if failure.unconfirmed is not None:
        return {"outcome": "unknown"}
    return {"outcome": "none"} if failure.status in REFUSED else {}


def _is_over_limit(failure: RpcError) -> bool:
    """Return whether too much was sent, by our limits or by gRPC's."""
    return isinstance(failure, LimitExceeded) or "larger than max" in failure.message


def is_database_failure(failure: RpcError) -> bool:
    """Return whether the backend lost its database, rather than sent it a wrong value."""
    if failure.status not in ("INTERNAL", "UNKNOWN"):
        return False
    state = _SQLSTATE.search(failure.message)
    if state is not None:
        return _LOST_DATABASE_STATES.fullmatch(state[1]) is not None
    found = _LOST_DATABASE.search(failure.message)
    return found is not None and _WRONG_VALUE.search(failure.message) is None


def _distrust(failure: RpcError) -> str | None:
    """Say why the other end is not trusted, if that is what is wrong."""
    return next((meaning for mark, meaning in _DISTRUST if mark in failure.message), None)
