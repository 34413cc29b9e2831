"""What the commands ask of the editor and of its session, independent of pygls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from flyte_sidecar.events.intern_pool import EventKey
from flyte_sidecar.events.model import Event, Scope
from flyte_sidecar.events.service import EventService
from flyte_sidecar.lsp.settings import Settings

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


class SessionState(Protocol):
    """The current state of an editor session. Its attributes change with the settings.

    Attributes
    ----------
    client
        The editor.
    service
        The operations on the events of the current backend.
    backend_id
        Identifies the current backend among all backends, in all processes of the user.
    shell_command
        The command, with its options, that starts a sidecar with the same backend.
    """

    @property
    def client(self) -> Client: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def service(self) -> EventService: ...
    @property
    def backend_id(self) -> str: ...
    @property
    def shell_command(self) -> Sequence[str]: ...

    def backend_id_of(self, scope: Scope) -> str:
        """Return the `backend_id` of the backend that has the runs of a scope, of several."""

    def pending(self, name: str | None = None) -> Sequence[Event]:
        """Return the pending events that are shown, or those of one name, in creation order."""

    def pending_event(self, key: EventKey) -> Event | None:
        """Return a pending event that is shown by its `event_key`, None if there is none."""

    def refresh(self) -> None:
        """Read the events again."""

    def document_uri(self, event: Event) -> str | None:
        """Return the URI of the document that shows the event; None if the editor reads none."""
