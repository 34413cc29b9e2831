"""The server to test, and what is known of its methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Framing = Literal["line", "header"]

UNKNOWN_METHOD = "conformance/unknown"
"""A method that no server has. Every server has to respond to a request of it."""

STARTUP_FACTOR = 6
"""How much longer than the timeout the first response may take: some runtimes start slowly."""


class Call(Struct, frozen=True):
    """A method, and its params as JSON."""

    method: str
    params: str


class Target(Struct, frozen=True, kw_only=True):
    """The server to test, and what is known of its methods.

    Attributes
    ----------
    framing
        None: find out.
    is_lsp
        Whether each connection begins with LSP's handshake.
    root
        The folder that a language server is started for; None: an empty one.
    call, invalid, slow
        A request that succeeds, one whose params are invalid, and one that waits until it is
        cancelled; None: checks that need it are skipped.
    cancel
        The notification that cancels a request.
    timeout
        Seconds to wait for a response, or for the end of the process.
    settle_time
        Seconds after the response to a later request in which another may still arrive.
    """

    command: Sequence[str]
    framing: Framing | None = None
    is_lsp: bool = False
    root: str | None = None
    call: Call | None = None
    invalid: Call | None = None
    slow: Call | None = None
    cancel: str = "$/cancelRequest"
    timeout: float = 5.0
    settle_time: float = 0.5

    @property
    def probe(self) -> Call:
        """A request that the server responds to, if it responds at all."""
        return self.call or Call(UNKNOWN_METHOD, "{}")

    @property
    def startup_timeout(self) -> float:
        """Seconds to wait for the first response."""
        return self.timeout * STARTUP_FACTOR
