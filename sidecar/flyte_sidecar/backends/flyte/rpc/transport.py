"""What is needed of a way to call Flyte's services."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from google.protobuf.message import Message

Q = TypeVar("Q", bound="Message")
R = TypeVar("R", bound="Message")

Metadata: TypeAlias = Sequence[tuple[str, str]]
"""Headers of a call; their names in lower case."""


class RpcError(Exception):
    """A call was answered with a status other than OK, or not at all.

    Attributes
    ----------
    status
        Its name as gRPC has it: ``UNAVAILABLE``, ``NOT_FOUND``, ...
    message
        What came with it, for a person.
    lost
        The failure of an earlier attempt at the same write, which may have been executed.
    """

    def __init__(self, status: str, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.unconfirmed: RpcError | None = None


class InvalidResponse(RpcError):
    """The server answered, but not with a message of the expected type."""

    def __init__(self, reason: str) -> None:
        super().__init__("INTERNAL", reason)


class LimitExceeded(RpcError):
    """The server sent more than is accepted in response to one request."""

    def __init__(self, reason: str) -> None:
        super().__init__("RESOURCE_EXHAUSTED", reason)


class RpcMethod(Generic[Q, R]):
    """One method of a Flyte service, with the classes of its messages.

    `writes` says that it changes something: it is not called once nobody waits for that.
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


class Transport(Protocol):
    """One connection to a deployment; it is made again by itself when it breaks.

    Every method raises `RpcError` alone. Who cancels the task that awaits a call, or
    closes a stream, ends the call at the server too.
    """

    async def call(self, rpc: RpcMethod[Q, R], request: Q, timeout: float, metadata: Metadata) -> R:
        """Return the response; `timeout` in seconds.

        The task of a write that its client has abandoned is cancelled instead.
        """

    def stream(
        self, rpc: RpcMethod[Q, R], request: Q, metadata: Metadata
    ) -> AsyncGenerator[R, None]:
        """Give what the server sends, for as long as it does."""

    async def close(self) -> None:
        """End every call, and the connection."""
