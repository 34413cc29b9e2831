"""Requests to a deployment behind a proxy that requires a token of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from flyte_sidecar.backends.flyte.auth.authorization import Authenticator, Authorization
from flyte_sidecar.backends.flyte.auth.unattended import UnattendedAuthenticator
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient, HttpResponse
from flyte_sidecar.backends.flyte.rpc.http_target import url_target

PROXY_TOKEN_FRESHNESS = 60.0
"""Age of a proxy's token, in seconds, up to which a rejection is due to the login instead."""

_UNAUTHORIZED = 401


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

    async def renew(
        self, rejected: Authorization | None, *, renewed: bool = False
    ) -> Authorization:
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
            return _joined(await self._login.renew(login, renewed=renewed), current)
        return _joined(await self._login.current(), current)

    async def login(self) -> None:
        await self._proxy.login()
        if self._login is not None:
            await self._login.login()

    async def settle(self) -> None:
        if self._login is not None:
            await self._login.settle()

    async def close(self) -> None:
        await self._proxy.close()
        if self._login is not None:
            await self._login.close()


class ProxiedHttpClient:
    """Adds the header for the proxy to OAuth requests to the deployment, and to no others.

    Parameters
    ----------
    proxy
        Obtains the header.
    """

    def __init__(
        self, http: HttpClient, proxy: UnattendedAuthenticator, deployment: Deployment
    ) -> None:
        self._http = http
        self._proxy = proxy
        self._deployment = deployment

    async def post(
        self,
        url: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        timeout: float,
        max_bytes: int,
    ) -> HttpResponse:
        """Return the response; send the request again with a new header if it is rejected."""
        send = partial(self._http.post, url, content=content, timeout=timeout, max_bytes=max_bytes)
        if not url_target(self._deployment, url).is_deployment:
            return await send(headers=headers)
        sent = await self._proxy.current()
        response = await send(headers={**headers, **dict(sent.headers.reveal())})
        if response.status != _UNAUTHORIZED:
            return response
        renewed = await self._proxy.obtain()
        if renewed == sent:
            return response
        return await send(headers={**headers, **dict(renewed.headers.reveal())})


def _joined(login: Authorization | None, proxy: Authorization) -> Authorization:
    headers = login.headers.reveal() if login else ()
    return Authorization(Secret((*headers, *proxy.headers.reveal())))


def _split(joined: Authorization | None) -> tuple[Authorization | None, Authorization | None]:
    if joined is None:
        return None, None
    *login, proxy = joined.headers.reveal()
    return Authorization(Secret(tuple(login))) if login else None, Authorization(Secret((proxy,)))
