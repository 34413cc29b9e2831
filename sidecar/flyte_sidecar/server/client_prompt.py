"""Shows logins to the client of a connection."""

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

    It writes to the log too, since not every client shows notifications.

    Parameters
    ----------
    notify
        Sends a notification: its method and params.
    count
        Called with 1 when a login is shown, and with -1 when it has ended.
    """

    def __init__(self, notify: Callable[[str, object], None], count: Callable[[int], None]) -> None:
        self._notify = notify
        self._count = count

    def required(self, login: LoginRequest) -> None:
        logger.warning("%s", login.message)
        required = results.AuthRequired(
            url=login.url,
            user_code=login.user_code,
            message=login.message,
            expires_at=login.expires_at,
        )
        self._notify(methods.AUTH_REQUIRED.name, required)
        self._notify(SHOW_MESSAGE, ShowMessageParams(INFO, login.message))
        self._count(1)

    def ended(self, login: LoginRequest, error: str | None) -> None:
        self._count(-1)
        self._notify(methods.AUTH_ENDED.name, results.AuthEnded(url=login.url, error=error))
        if error is not None:
            logger.warning("%s", error)
            self._notify(SHOW_MESSAGE, ShowMessageParams(ERROR, error))
