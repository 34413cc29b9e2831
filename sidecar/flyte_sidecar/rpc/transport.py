"""The interfaces between a transport and its protocol, which are those of asyncio."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """The methods that a protocol calls."""

    def write(self, data: bytes) -> None:
        """Write the data, now or later."""

    def pause_reading(self) -> None:
        """Stop delivering data until `resume_reading`."""

    def resume_reading(self) -> None:
        """Continue to deliver data."""

    async def drained(self) -> None:
        """Wait until everything is written."""


class StreamProtocol(Protocol):
    """The methods that a transport calls."""

    def connection_made(self, transport: Transport) -> None:
        """Start to use the transport."""

    def data_received(self, data: bytes) -> None:
        """Handle received bytes."""

    def eof_received(self) -> None:
        """Handle the end of input."""

    def pause_writing(self) -> None:
        """Stop writing until `resume_writing` (back-pressure)."""

    def resume_writing(self) -> None:
        """Continue to write."""

    def connection_lost(self, error: Exception | None) -> None:
        """Handle the loss of the client, or the end of the transport."""
