"""The logins that are shown to the client of a connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from flyte_sidecar.protocol import methods, results

if TYPE_CHECKING:
    from flyte_sidecar.backends.flyte import LoginRequest

logger = logging.getLogger(__name__)

SHOW_MESSAGE = "window/showMessage"

ERROR, INFO = 1, 3
"""LSP's types of messages."""


class ShowMessageParams(Struct, frozen=True):
    """LSP's ShowMessageParams."""

    type: int
    message: str


class ClientPrompt:
    """A `LoginPrompt` that sends notifications: its own, and the one that editors show.

    Before `initialize`, a client gets only the former, since the latter belongs to LSP; after it,
    both. Editors get one kind. All is in the log too, since not every client shows notifications.

    Parameters
    ----------
    notify
        Sends a notification: its method and params.
    count
        Called with 1 when a login is shown, and with -1 when it has ended.

    Attributes
    ----------
    asked_again
        How often the client has asked for logins again, by `ask_again`.
    has_failed
        Whether the client was sent why the latest login has failed.
    """

    def __init__(self, notify: Callable[[str, object], None], count: Callable[[int], None]) -> None:
        self.asked_again = 0
        self.has_failed = False
        self._notify = notify
        self._count = count
        self._sends_own = True
        self._sends_messages = False
        self._shown: dict[str, LoginRequest] = {}

    def serve_initialized(self) -> None:
        """Send messages too, since the client has sent `initialize`."""
        self._sends_messages = True

    def serve_editor(self, *, shows_logins: bool) -> None:
        """Send its own notifications if a plugin shows them, else only messages."""
        self._sends_own, self._sends_messages = shows_logins, not shows_logins

    def cancel(self, url: str) -> None:
        """End the login with a URL, and show no other one until `ask_again`; ignore other URLs."""
        login = self._shown.pop(url, None)
        if login is not None:
            login.cancel()

    def ask_again(self) -> None:
        """Show logins also after one has failed or was cancelled."""
        self.asked_again += 1

    def required(self, login: LoginRequest) -> None:
        logger.warning("%s", login.message)
        self._shown[login.url] = login
        required = results.AuthRequired(
            url=login.url,
            user_code=login.user_code,
            message=login.message,
            expires_at=login.expires_at,
        )
        self._send(methods.AUTH_REQUIRED, required)
        self._show(INFO, login.message)
        self._count(1)

    def ended(self, login: LoginRequest, error: str | None) -> None:
        self._shown.pop(login.url, None)
        self.has_failed = error is not None
        self._count(-1)
        self._send(methods.AUTH_ENDED, results.AuthEnded(url=login.url, error=error))
        if error is not None:
            logger.warning("%s", error)
            self._show(ERROR, error)

    def _send(self, notification: methods.Notification, params: object) -> None:
        if self._sends_own:
            self._notify(notification.name, params)

    def _show(self, kind: int, message: str) -> None:
        if self._sends_messages:
            self._notify(SHOW_MESSAGE, ShowMessageParams(kind, message))
