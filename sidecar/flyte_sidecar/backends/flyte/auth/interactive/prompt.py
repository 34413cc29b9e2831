"""Whether a request may ask a person to log in, and what the person sees."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

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
    """

    url: str
    user_code: str | None
    message: str
    expires_at: datetime


class LoginPrompt(Protocol):
    """Shows logins to a person; must not raise or block."""

    def required(self, login: LoginRequest) -> None:
        """Show a login."""

    def ended(self, login: LoginRequest, error: str | None) -> None:
        """Report that a login was finished, or why it failed or was cancelled."""


class LogPrompt:
    """A `LoginPrompt` that writes to the log, which is stderr unless the user chose otherwise."""

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

    def required(self, login: LoginRequest) -> None:
        self.shown = True
        self._prompt.required(login)

    def ended(self, login: LoginRequest, error: str | None) -> None:
        self._prompt.ended(login, None if self.replaced else error)


@contextmanager
def shown(prompt: LoginPrompt, login: LoginRequest) -> Iterator[None]:
    """Show a login to a person until the work inside ends."""
    prompt.required(login)
    failure: str | None = "the login was cancelled"
    try:
        yield
        failure = None
    except RpcError as error:
        failure = error.message
        raise
    finally:
        prompt.ended(login, failure)


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
