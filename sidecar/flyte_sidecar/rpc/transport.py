"""The interfaces between a transport and its protocol, which are those of asyncio."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """What a protocol calls."""

    def write(self, data: bytes) -> None:
        """Write the data, now or later."""

    def pause_reading(self) -> None:
        """Deliver no more data until `resume_reading`."""

    def resume_reading(self) -> None:
        """Continue to deliver data."""

    async def drained(self) -> None:
        """Wait until everything is written."""


class StreamProtocol(Protocol):
    """What a transport calls; the names are those of asyncio's protocols."""

    def connection_made(self, transport: Transport) -> None:
        """The transport is ready."""

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""

    def eof_received(self) -> None:
        """No more bytes will come."""

    def pause_writing(self) -> None:
        """The client does not keep up with reading."""

    def resume_writing(self) -> None:
        """The client has caught up."""

    def connection_lost(self, error: Exception | None) -> None:
        """Nobody reads any more, or the transport was closed."""
