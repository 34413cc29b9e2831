"""Every error that a caller can catch, as one tree of families.

SidecarError
├── ProtocolError            the message or the request is not valid
│   ├── ParseError              -32700
│   ├── InvalidRequest          -32600
│   ├── MethodNotFound          -32601
│   ├── InvalidParams           -32602
│   ├── MessageTooLarge           1001
│   └── CursorExpired             1016
├── EventError               the event does not allow what was requested
│   ├── EventNotFound             1003
│   ├── AmbiguousEvent            1004
│   ├── EventExists               1005
│   ├── PayloadTypeMismatch       1006
│   ├── AlreadySignalled          1007
│   └── AlreadyCompleted          1008
├── BackendFailure           the backend failed or refused the request
│   ├── UnsupportedByBackend      1009
│   ├── BackendUnavailable        1010 *  retryable
│   ├── Unauthenticated           1011
│   ├── PermissionDenied          1012
│   ├── BackendError              1013 *
│   └── StoreFailure         the embedded store failed
│       ├── StoreBusy             1014 *  retryable
│       └── StoreUnavailable      1015 *
├── RequestInterrupted       the request ended before it had a result
│   ├── RequestCancelled        -32800 *
│   ├── DeadlineExceeded          1002 *
│   └── ShuttingDown              1018 *
├── TooManyWaits                  1017    retryable
└── InternalError               -32603 *

* may end a write that has happened: reports the outcome of the write

The Python API and the client of a sidecar process raise these errors, but never a family itself.
An error whose kind is unknown, from a newer sidecar, is a plain `SidecarError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class SidecarError(Exception):
    """The base class of all errors.

    Parameters
    ----------
    message, **data
        One sentence for a person, and members of the JSON-RPC error's ``data`` by wire name.

    Attributes
    ----------
    kind, code
        The kind, which is stable across versions and which clients match, and the JSON-RPC code.
    retryable
        Whether the same request may succeed if it is retried.
    reports_outcome
        Whether an error that ends a write reports its outcome (``outcome``, ``actionName``).
    """

    kind: str
    code: int
    retryable: bool = False
    reports_outcome: ClassVar[bool] = False

    def __init__(self, message: str, /, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data = data

    def data_with(self, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Return the data, with the outcome of the write that it ended if it reports that."""
        reports = self.reports_outcome or "outcome" in self.data
        return {**outcome, **self.data} if reports else self.data


class ProtocolError(SidecarError):
    """The message or the request is not valid."""


class ParseError(ProtocolError):
    """The message is not valid UTF-8 or not valid JSON."""

    kind = "parse_error"
    code = -32700


class InvalidRequest(ProtocolError):
    """The message is JSON but not a valid JSON-RPC request, or is not allowed now."""

    kind = "invalid_request"
    code = -32600


class MethodNotFound(ProtocolError):
    """The method does not exist."""

    kind = "method_not_found"
    code = -32601


class InvalidParams(ProtocolError):
    """The params are not valid for the method. ``path`` is a JSON Pointer to the invalid part."""

    kind = "invalid_params"
    code = -32602


class MessageTooLarge(ProtocolError):
    """The message is larger than ``limit`` bytes."""

    kind = "message_too_large"
    code = 1001


class CursorExpired(ProtocolError):
    """The cursor is unknown or has expired. List again from the start."""

    kind = "cursor_expired"
    code = 1016


class EventError(SidecarError):
    """The event does not allow what was requested."""


class EventNotFound(EventError):
    """The event does not exist."""

    kind = "event_not_found"
    code = 1003


class AmbiguousEvent(EventError):
    """The name matches several unresolved events. ``candidates`` are the first of them."""

    kind = "ambiguous_event"
    code = 1004


class EventExists(EventError):
    """An event with this name and parent exists already: ``event``."""

    kind = "event_exists"
    code = 1005


class PayloadTypeMismatch(EventError):
    """The payload does not have the declared type, ``expectedType``."""

    kind = "payload_type_mismatch"
    code = 1006


class AlreadySignalled(EventError):
    """``event`` was answered before, with another value."""

    kind = "already_signalled"
    code = 1007


class AlreadyCompleted(EventError):
    """``event`` has timed out, was aborted or has failed."""

    kind = "already_completed"
    code = 1008


class BackendFailure(SidecarError):
    """The backend failed or refused the request."""


class UnsupportedByBackend(BackendFailure):
    """The backend does not support the request."""

    kind = "unsupported_by_backend"
    code = 1009


class BackendUnavailable(BackendFailure):
    """The backend cannot be reached, or the connection was lost."""

    kind = "backend_unavailable"
    code = 1010
    retryable = True
    reports_outcome = True


class Unauthenticated(BackendFailure):
    """Authentication with the backend failed."""

    kind = "unauthenticated"
    code = 1011


class PermissionDenied(BackendFailure):
    """The backend does not permit the request."""

    kind = "permission_denied"
    code = 1012


class BackendError(BackendFailure):
    """Any other error of the backend."""

    kind = "backend_error"
    code = 1013
    reports_outcome = True


class StoreFailure(BackendFailure):
    """The embedded store failed."""


class StoreBusy(StoreFailure):
    """Another process kept the embedded store locked for longer than the timeout."""

    kind = "store_busy"
    code = 1014
    retryable = True
    reports_outcome = True


class StoreUnavailable(StoreFailure):
    """The embedded store cannot be used, for ``reason``."""

    kind = "store_unavailable"
    code = 1015
    reports_outcome = True


class RequestInterrupted(SidecarError):
    """The request ended before it had a result."""


class RequestCancelled(RequestInterrupted):
    """The client cancelled the request."""

    kind = "request_cancelled"
    code = -32800
    reports_outcome = True


class DeadlineExceeded(RequestInterrupted):
    """``timeoutSeconds`` or the backend's own deadline has passed."""

    kind = "deadline_exceeded"
    code = 1002
    reports_outcome = True


class ShuttingDown(RequestInterrupted):
    """The sidecar shut down before the request was answered."""

    kind = "shutting_down"
    code = 1018
    reports_outcome = True


class InternalError(SidecarError):
    """The sidecar has a bug. The log has the details."""

    kind = "internal_error"
    code = -32603
    reports_outcome = True


class TooManyWaits(SidecarError):
    """``limit`` waits and watches are open already."""

    kind = "too_many_waits"
    code = 1017
    retryable = True


ERRORS: tuple[type[SidecarError], ...] = (
    ParseError,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    InternalError,
    RequestCancelled,
    MessageTooLarge,
    DeadlineExceeded,
    EventNotFound,
    AmbiguousEvent,
    EventExists,
    PayloadTypeMismatch,
    AlreadySignalled,
    AlreadyCompleted,
    UnsupportedByBackend,
    BackendUnavailable,
    Unauthenticated,
    PermissionDenied,
    BackendError,
    StoreBusy,
    StoreUnavailable,
    CursorExpired,
    TooManyWaits,
    ShuttingDown,
)
"""Every error that has a kind, in the order of the contract."""
