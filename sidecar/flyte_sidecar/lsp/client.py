"""What the language server asks of the editor, independent of pygls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

MessageKind: TypeAlias = Literal["info", "warning", "error"]

ProgressToken: TypeAlias = int | str


class Client(Protocol):
    """The editor at the other end of the connection.

    No method raises because of what the editor answers, or fails to answer: an error, an invalid
    response and the end of the connection count as a refusal.
    """

    async def ask(self, message: str, options: Sequence[str]) -> str | None:
        """Show a question with its options, and return the option that the person chose.

        Returns None if the person dismissed the question, and if the editor cannot show it or
        returns something else. It waits for any length of time. Cancelling the call withdraws the
        question only in editors that support it: others continue to show it, without effect.
        """

    def show(self, message: str, kind: MessageKind = "info") -> None:
        """Show a message."""

    async def show_document(self, uri: str) -> bool:
        """Open a document or a web page; return False if the editor cannot."""

    async def begin_progress(self, title: str) -> ProgressToken | None:
        """Begin to show progress; return None if the editor does not show any.

        If the call is cancelled, no progress has begun.
        """

    def report_progress(self, token: ProgressToken, message: str) -> None:
        """Replace the message below the title."""

    def end_progress(self, token: ProgressToken) -> None:
        """Stop showing progress."""
