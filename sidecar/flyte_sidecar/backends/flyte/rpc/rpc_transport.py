"""What the client of Flyte's services requires of a transport, such as gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar
from typing import Protocol as TypingProtocol

if TYPE_CHECKING:
    from google.protobuf.message import Message

Q = TypeVar("Q", bound="Message")
R = TypeVar("R", bound="Message")

Metadata: TypeAlias = Sequence[tuple[str, str]]
"""Headers of a call; their names are lower case."""


Protocol = Literal["gRPC", "Connect"]


class RpcError(Exception):
    """A call failed: the server responded with a status other than OK, or not at all.

    Attributes
    ----------
    status
        The name of the gRPC status: ``UNAVAILABLE``, ``NOT_FOUND``, ...
    message
        The message that came with the status, for people.
    unconfirmed
        The error of an earlier attempt at the same write, if that may have been executed.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.unconfirmed: RpcError | None = None


class InvalidResponse(RpcError):
    """The server responded, but not with a message of the expected type."""

    def __init__(self, reason: str) -> None:
        super().__init__("INTERNAL", reason)


class ConnectionClosed(RpcError):
    """The sidecar itself has closed the connection."""

    def __init__(self) -> None:
        super().__init__("CANCELLED", "the connection was closed")


class LimitExceeded(RpcError):
    """The server sent more than is accepted in response to one request."""

    def __init__(self, reason: str) -> None:
        super().__init__("RESOURCE_EXHAUSTED", reason)


class RpcMethod(Generic[Q, R]):
    """One method of a Flyte service, with the classes of its messages.

    Attributes
    ----------
    path
        The path of an HTTP request for it: ``/flyteidl2.workflow.RunService/ListRuns``.
    writes
        Whether it changes something. A write is not sent after its client has abandoned it.
    """

    def __init__(
        self,
        name: str,
        request: type[Q],
        response: type[R],
        service: str = "flyteidl2.workflow.RunService",
        *,
        writes: bool = False,
    ) -> None:
        self.name = name
        self.writes = writes
        self.path = f"/{service}/{name}"
        self.response = response


class RpcTransport(TypingProtocol):
    """Sends calls to one deployment, and reconnects when a connection breaks.

    Every method raises `RpcError` and nothing else. When the task that awaits a call is cancelled
    or a stream is closed, the call ends on the server too.
    """

    @property
    def protocol(self) -> Protocol:
        """How calls are sent now; it may change while the deployment is not known."""

    @property
    def max_streams(self) -> int:
        """Maximum number of streams that should stay open; a tenth more may be open shortly."""

    async def call(self, rpc: RpcMethod[Q, R], request: Q, timeout: float, metadata: Metadata) -> R:
        """Return the response; `timeout` in seconds.

        If the client of a write has abandoned it before it is sent, its task is cancelled.
        """

    def stream(
        self, rpc: RpcMethod[Q, R], request: Q, metadata: Metadata
    ) -> AsyncGenerator[R, None]:
        """Yield the messages of the server until it ends the stream."""

    async def close(self) -> None:
        """Cancel all calls, and disconnect."""
