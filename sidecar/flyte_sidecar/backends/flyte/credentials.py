"""What a config says about authentication, as typed values. Secrets stay out of reprs and logs."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from msgspec import Struct

T = TypeVar("T")

MASK = "***"
"""What is printed in place of a secret."""

HEADERS_VARIABLE = "FLYTE_SIDECAR_AUTH_HEADERS"
"""The environment variable with the headers of the kind Passthrough."""

AuthType = Literal["Pkce", "DeviceFlow", "ClientSecret", "ExternalCommand", "Passthrough"]


class Secret(Generic[T]):
    """A value that only `reveal` returns."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Return the value. It must not be logged, nor become a part of an error."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({MASK})"


class Credentials(Struct, frozen=True, kw_only=True):
    """How requests are authenticated.

    Attributes
    ----------
    auth_type
        The kind of login, as Flyte's config names it.
    source
        What selects that kind, for people; None if it is only the default.
    client_id, client_secret
        The client of the kind ClientSecret.
    command
        The program that prints the token of the kind ExternalCommand, or the headers of the kind
        Passthrough, with its arguments; None for other kinds.
    headers
        The headers of the kind Passthrough, as they are written in the environment.
    proxy_command
        The program that prints a token for a proxy in front of the deployment, with its arguments.
    proxy_command_source
        Where `proxy_command` comes from, for people.
    scopes
        The scopes to request instead of those that the deployment announces.
    http_proxy
        URL of the proxy for OAuth requests.
    disable_keyring
        Whether stored logins are ignored.
    """

    auth_type: AuthType = "Pkce"
    source: str | None = None
    client_id: str | None = None
    client_secret: Secret[str] | None = None
    command: Secret[tuple[str, ...]] | None = None
    headers: Secret[str] | None = None
    proxy_command: Secret[tuple[str, ...]] | None = None
    proxy_command_source: str | None = None
    scopes: tuple[str, ...] = ()
    http_proxy: Secret[str] | None = None
    disable_keyring: bool = False
