"""The headers that authenticate requests, the tokens of a login, and what supplies them."""

from __future__ import annotations

from typing import Protocol, TypeAlias

from msgspec import Struct

from flyte_sidecar.backends.flyte.credentials import Secret

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names, in lower case, and values."""


class Authorization(Struct, frozen=True):
    """The headers that authenticate requests until the server rejects them."""

    headers: Secret[Headers]


class Login(Struct, frozen=True):
    """The tokens of a login. `access_token` is empty if only the other one is stored."""

    access_token: Secret[str]
    refresh_token: Secret[str] | None


class Authenticator(Protocol):
    """Supplies the headers for all requests to one deployment.

    Every method raises only `RpcError`: `UNAUTHENTICATED` if no headers can be had, `UNAVAILABLE`
    if that may change, for example because the identity provider cannot be reached, and
    `UNIMPLEMENTED` if the deployment has no logins.
    """

    async def current(self) -> Authorization | None:
        """Return the headers to send; None if there is no login. Asks no person for one."""

    async def renew(
        self, rejected: Authorization | None, *, renewed: bool = False
    ) -> Authorization:
        """Return other headers than those that the server rejected.

        `renewed` says that these were themselves the result of a renewal for the same call.

        Concurrent calls share one renewal. If a person has to log in, waits for them, unless the
        request may not ask (`interactive.prompt`). When all who wait are cancelled, so is the
        login soon after; a renewal without a person goes on, so that no rotated token is lost.
        """

    async def login(self) -> None:
        """Obtain new headers, whether those in use are still valid or not; may ask a person."""

    async def settle(self) -> None:
        """Wait until new tokens are stored, for a few seconds at most."""

    async def close(self) -> None:
        """End a login, after `settle`."""
