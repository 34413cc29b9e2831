"""Headers that are obtained without a person: from commands, the environment, a client secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from flyte_sidecar.backends.flyte.auth.authorization import Authenticator, Authorization
from flyte_sidecar.backends.flyte.auth.shared_task import SharedTask
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

PROXY_TOKEN_FRESHNESS = 60.0
"""Age of a proxy's token, in seconds, up to which a rejection is due to the login instead."""


class UnattendedAuthenticator:
    """An `Authenticator` that obtains its headers in one step.

    Parameters
    ----------
    fetch
        Obtains headers.
    source
        Where they come from, for people.
    """

    def __init__(
        self, fetch: Callable[[], Coroutine[Any, Any, Authorization]], source: str
    ) -> None:
        self._fetch = fetch
        self._source = source
        self._current: Authorization | None = None
        self._obtained = 0.0
        self._running: SharedTask[Authorization] = SharedTask()

    @property
    def age(self) -> float:
        """Seconds since the headers were obtained."""
        return time.monotonic() - self._obtained

    async def current(self) -> Authorization:
        return self._current or await self.obtain()

    async def obtain(self) -> Authorization:
        """Obtain headers again; concurrent callers share them."""
        return await self._running.join(self._replace)

    async def renew(self, rejected: Authorization | None) -> Authorization:
        renewed = self._current
        if renewed is None or renewed == rejected:
            renewed = await self.obtain()
        if renewed == rejected:
            raise self.rejection()
        return renewed

    def rejection(self) -> RpcError:
        """Return the error that the server rejects the headers, also those obtained again."""
        return RpcError("UNAUTHENTICATED", f"the server rejects what {self._source} supplies")

    async def login(self) -> None:
        await self.obtain()

    async def close(self) -> None:
        await self._running.close()

    async def _replace(self) -> Authorization:
        self._current = await self._fetch()
        self._obtained = time.monotonic()
        return self._current


class ProxiedAuthenticator:
    """An `Authenticator` that adds the header for a proxy in front of the deployment.

    Parameters
    ----------
    proxy
        Obtains one header, for the proxy.
    login
        Supplies the headers for the deployment; None if it needs none.
    """

    def __init__(self, proxy: UnattendedAuthenticator, login: Authenticator | None) -> None:
        self._proxy = proxy
        self._login = login

    async def current(self) -> Authorization:
        proxy = await self._proxy.current()
        return _joined(await self._login.current() if self._login else None, proxy)

    async def renew(self, rejected: Authorization | None) -> Authorization:
        """Renew the header for the proxy, or the login if that header is fresh.

        The proxy and the deployment reject requests in the same way, and a command may print
        another token each time.
        """
        login, proxy = _split(rejected)
        current = await self._proxy.current()
        if current == proxy and (self._login is None or self._proxy.age > PROXY_TOKEN_FRESHNESS):
            current = await self._proxy.obtain()
        if self._login is None:
            if current == proxy:
                raise self._proxy.rejection()
            return current
        if current == proxy:
            return _joined(await self._login.renew(login), current)
        return _joined(await self._login.current(), current)

    async def login(self) -> None:
        await self._proxy.login()
        if self._login is not None:
            await self._login.login()

    async def close(self) -> None:
        await self._proxy.close()
        if self._login is not None:
            await self._login.close()


def _joined(login: Authorization | None, proxy: Authorization) -> Authorization:
    headers = login.headers.reveal() if login else ()
    return Authorization(Secret((*headers, *proxy.headers.reveal())))


def _split(joined: Authorization | None) -> tuple[Authorization | None, Authorization | None]:
    if joined is None:
        return None, None
    *login, proxy = joined.headers.reveal()
    return Authorization(Secret(tuple(login))) if login else None, Authorization(Secret((proxy,)))
