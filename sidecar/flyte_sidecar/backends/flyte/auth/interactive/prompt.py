"""Whether a request may ask a person to log in, and what the person sees."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Protocol

from msgspec import Struct

logger = logging.getLogger(__name__)

_may_ask: ContextVar[bool] = ContextVar("may_ask", default=True)


class LoginRequest(Struct, frozen=True):
    """A login that a person must finish.

    Attributes
    ----------
    url
        What to open in a browser.
    user_code
        The code to enter there, or to compare; None if there is none.
    message
        All of that as a sentence.
    expires_at
        When the login fails unless it is finished.
    cancel
        Ends the login once: the requests that wait for it fail.
    """

    url: str
    user_code: str | None
    message: str
    expires_at: datetime
    cancel: Callable[[], None]


class LoginPrompt(Protocol):
    """Shows logins to a person; must not raise or block.

    Attributes
    ----------
    asked_again
        How often the person has asked to log in, after a login that failed or that they cancelled.
    """

    @property
    def asked_again(self) -> int: ...

    def required(self, login: LoginRequest) -> None:
        """Show a login."""

    def ended(self, login: LoginRequest, error: str | None) -> None:
        """Report that a login was finished, or why it failed or was cancelled."""


class LogPrompt:
    """A `LoginPrompt` that writes to the log, which is stderr unless the user chose otherwise."""

    asked_again = 0

    def required(self, login: LoginRequest) -> None:
        logger.warning("%s", login.message)

    def ended(self, login: LoginRequest, error: str | None) -> None:
        if error is not None:
            logger.warning("%s", error)


class ReplaceablePrompt:
    """A `LoginPrompt` for a login that another one may replace.

    Attributes
    ----------
    shown
        Whether the login was shown.
    replaced
        Whether another login was finished, so that the end of this one is no failure.
    """

    def __init__(self, prompt: LoginPrompt) -> None:
        self._prompt = prompt
        self.shown = False
        self.replaced = False

    @property
    def asked_again(self) -> int:
        return self._prompt.asked_again

    def required(self, login: LoginRequest) -> None:
        self.shown = True
        self._prompt.required(login)

    def ended(self, login: LoginRequest, error: str | None) -> None:
        self._prompt.ended(login, None if self.replaced else error)


def may_ask() -> bool:
    """Return whether the current request may ask a person to log in."""
    return _may_ask.get()


@contextmanager
def without_login() -> Iterator[None]:
    """Let the requests sent inside fail where a person would have to log in."""
    token = _may_ask.set(False)
    try:
        yield
    finally:
        _may_ask.reset(token)
