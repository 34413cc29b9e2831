"""OAuth requests to a deployment behind a proxy that requires a token of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from urllib.parse import urlsplit

from flyte_sidecar.backends.flyte.auth.unattended import UnattendedAuthenticator
from flyte_sidecar.backends.flyte.endpoint import split_endpoint
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient, HttpResponse

_DEFAULT_PORTS = {"https": 443, "http": 80}
_UNAUTHORIZED = 401


class ProxiedHttpClient:
    """Adds the header for the proxy to requests to the deployment, and to no others.

    Parameters
    ----------
    proxy
        Obtains the header.
    address
        ``host:port`` of the deployment.
    """

    def __init__(self, http: HttpClient, proxy: UnattendedAuthenticator, address: str) -> None:
        self._http = http
        self._proxy = proxy
        self._address = split_endpoint(address)

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
        parts = urlsplit(url)
        if self._address != (parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)):
            return await send(headers=headers)
        sent = await self._proxy.current()
        response = await send(headers={**headers, **dict(sent.headers.reveal())})
        if response.status != _UNAUTHORIZED:
            return response
        renewed = await self._proxy.obtain()
        if renewed == sent:
            return response
        return await send(headers={**headers, **dict(renewed.headers.reveal())})
