"""Logins that a person must finish: what all of them have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flyte_sidecar.backends.flyte.auth.interaction import LoginPrompt, LoginRequest
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError


def login_failed(reason: str) -> RpcError:
    """Return the error of a login, with the remedy."""
    return RpcError("UNAUTHENTICATED", f"{reason}: run `flyte-sidecar login` to log in")


def nobody_finished(timeout: float) -> RpcError:
    """Return the error of a login that nobody finished in time, in seconds."""
    time = f"{timeout / 60:g} minutes" if timeout >= 60 else f"{timeout:g} s"
    return login_failed(f"nobody finished the login within {time}")


def denied() -> RpcError:
    """Return the error of a login that a person, or the provider, denied."""
    return login_failed("the login was denied")


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


class ReplaceablePrompt:
    """A `LoginPrompt` for a login that another one may replace.

    Attributes
    ----------
    replaced
        Whether another login was finished, so that the end of this one is no failure.
    """

    def __init__(self, prompt: LoginPrompt) -> None:
        self._prompt = prompt
        self.replaced = False

    def required(self, login: LoginRequest) -> None:
        self._prompt.required(login)

    def ended(self, login: LoginRequest, error: str | None) -> None:
        self._prompt.ended(login, None if self.replaced else error)
