"""Errors of logins that a person did not finish, with the remedy."""

from __future__ import annotations

from flyte_sidecar.backends.flyte.auth.oauth import OAuthError
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError


class LoginCancelled(RpcError):
    """The person has cancelled the login."""


def login_failed(reason: str, kind: type[RpcError] = RpcError) -> RpcError:
    """Return the error of a login, with the remedy."""
    return kind("UNAUTHENTICATED", f"{reason}: run `flyte-sidecar login` to log in")


def nobody_finished(timeout: float) -> RpcError:
    """Return the error of a login that nobody finished in time, in seconds."""
    time = f"{timeout / 60:g} minutes" if timeout >= 60 else f"{timeout:g} s"
    return login_failed(f"nobody finished the login within {time}")


def login_refused(error: OAuthError) -> RpcError:
    """Return the error of a login that the person denied, or that the provider refused."""
    if error.code == "access_denied":
        return login_failed("the login was denied")
    return login_failed(f"the login was refused: {error.reason}")
