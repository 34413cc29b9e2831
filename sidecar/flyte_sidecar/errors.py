"""Every error that a caller can meet, as one tree.

SidecarError
├── ParseError              -32700
├── InvalidRequest          -32600
├── MethodNotFound          -32601
├── InvalidParams           -32602
├── InternalError           -32603 *
├── RequestCancelled        -32800 *
├── MessageTooLarge           1001
├── DeadlineExceeded          1002 *
├── EventNotFound             1003
├── AmbiguousEvent            1004
├── EventExists               1005
├── PayloadTypeMismatch       1006
├── AlreadySignalled          1007
├── AlreadyCompleted          1008
├── UnsupportedByBackend      1009
├── BackendUnavailable        1010 *  retryable
├── Unauthenticated           1011
├── PermissionDenied          1012
├── BackendError              1013 *
├── StoreBusy                 1014 *  retryable
├── StoreUnavailable          1015 *
├── CursorExpired             1016
├── TooManyWaits              1017    retryable
└── ShuttingDown              1018 *

* leaves the outcome of a write open, and so tells what is known of it
"""

from __future__ import annotations

from typing import Any, ClassVar


class SidecarError(Exception):
    """The root of the tree.

    Parameters
    ----------
    message
        One sentence for a person.
    **data
        Further members of the JSON-RPC error's ``data``, in the wire's names.

    Attributes
    ----------
    kind
        What clients match on; stable across versions.
    code
        The JSON-RPC error code.
    retryable
        Whether the same request may succeed when it is sent again.
    reports_outcome
        Whether a write that ended so says what became of it (``outcome``, ``actionName``).
    """

    kind: ClassVar[str]
    code: ClassVar[int]
    retryable: bool = False
    reports_outcome: ClassVar[bool] = False

    def __init__(self, message: str, /, **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class ParseError(SidecarError):
    """The message is not UTF-8 or not JSON."""

    kind = "parse_error"
    code = -32700


class InvalidRequest(SidecarError):
    """The message is JSON but no JSON-RPC request, or one that may not come now."""

    kind = "invalid_request"
    code = -32600


class MethodNotFound(SidecarError):
    """No method has that name."""

    kind = "method_not_found"
    code = -32601


class InvalidParams(SidecarError):
    """The params do not fit the method; ``path`` is a JSON Pointer to the culprit."""

    kind = "invalid_params"
    code = -32602


class InternalError(SidecarError):
    """A defect of the sidecar; the log has the details."""

    kind = "internal_error"
    code = -32603
    reports_outcome = True


class RequestCancelled(SidecarError):
    """The client cancelled the request."""

    kind = "request_cancelled"
    code = -32800
    reports_outcome = True


class MessageTooLarge(SidecarError):
    """The message is over ``limit`` bytes."""

    kind = "message_too_large"
    code = 1001


class DeadlineExceeded(SidecarError):
    """``timeoutSeconds``, or the backend's own deadline, has passed."""

    kind = "deadline_exceeded"
    code = 1002
    reports_outcome = True


class EventNotFound(SidecarError):
    """The event to signal, wait for or abort does not exist."""

    kind = "event_not_found"
    code = 1003


class AmbiguousEvent(SidecarError):
    """The name fits several unresolved events; ``candidates`` are the first of them."""

    kind = "ambiguous_event"
    code = 1004


class EventExists(SidecarError):
    """The name was used before under the same parent, by ``event``."""

    kind = "event_exists"
    code = 1005


class PayloadTypeMismatch(SidecarError):
    """The payload does not fit the declared type, ``expectedType``."""

    kind = "payload_type_mismatch"
    code = 1006


class AlreadySignalled(SidecarError):
    """``event`` was answered before, with another value."""

    kind = "already_signalled"
    code = 1007


class AlreadyCompleted(SidecarError):
    """``event`` timed out, was aborted or failed before."""

    kind = "already_completed"
    code = 1008


class UnsupportedByBackend(SidecarError):
    """This backend cannot do what was asked."""

    kind = "unsupported_by_backend"
    code = 1009


class BackendUnavailable(SidecarError):
    """The backend cannot be reached, or the connection to it dropped."""

    kind = "backend_unavailable"
    code = 1010
    retryable = True
    reports_outcome = True


class Unauthenticated(SidecarError):
    """The backend does not know who is asking."""

    kind = "unauthenticated"
    code = 1011


class PermissionDenied(SidecarError):
    """The backend knows who is asking and refuses."""

    kind = "permission_denied"
    code = 1012


class BackendError(SidecarError):
    """Anything else that the backend said."""

    kind = "backend_error"
    code = 1013
    reports_outcome = True


class StoreBusy(SidecarError):
    """The embedded store stayed locked by another process for longer than we wait."""

    kind = "store_busy"
    code = 1014
    retryable = True
    reports_outcome = True


class StoreUnavailable(SidecarError):
    """The embedded store cannot be used, for ``reason``."""

    kind = "store_unavailable"
    code = 1015
    reports_outcome = True


class CursorExpired(SidecarError):
    """The cursor is not known, or no longer: list again from the start."""

    kind = "cursor_expired"
    code = 1016


class TooManyWaits(SidecarError):
    """``limit`` waits and watches are open already."""

    kind = "too_many_waits"
    code = 1017
    retryable = True


class ShuttingDown(SidecarError):
    """The sidecar ends before it could answer."""

    kind = "shutting_down"
    code = 1018
    reports_outcome = True


KINDS: tuple[type[SidecarError], ...] = tuple(SidecarError.__subclasses__())
"""Every kind, in the order of the tree."""
