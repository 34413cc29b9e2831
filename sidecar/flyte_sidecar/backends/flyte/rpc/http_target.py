"""Where an HTTP request is sent, and through which proxy."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from flyte_sidecar.backends.flyte.address import join_host_port
from flyte_sidecar.backends.flyte.endpoint import Deployment, split_endpoint
from flyte_sidecar.backends.flyte.proxy import Proxy, parse_proxy, proxy_for
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError


class Target(Struct, frozen=True):
    """Where a request is sent.

    Attributes
    ----------
    is_deployment
        Whether it is the deployment itself, and not, for example, its identity provider.
    """

    scheme: str
    host: str
    port: int
    path: str
    proxy: Proxy | None
    is_deployment: bool

    @property
    def address(self) -> str:
        """``host:port``."""
        return join_host_port(self.host, self.port)


def deployment_target(deployment: Deployment, path: str) -> Target:
    """Return the target of a request to the deployment."""
    host, port = split_endpoint(deployment.address)
    assert port is not None
    scheme = "http" if deployment.insecure else "https"
    return Target(scheme, host, port, path, deployment.proxy, True)


def url_target(deployment: Deployment, url: str) -> Target:
    """Return the target of a request for a login; its proxy is the one for OAuth, if one is set.

    Raises
    ------
    RpcError
        If the URL or the proxy is invalid. The message does not repeat it.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or (443 if parts.scheme == "https" else 80)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise ValueError
        path.encode("ascii")
    except ValueError:  # a UnicodeError is one
        raise RpcError("FAILED_PRECONDITION", "a URL for logins is invalid") from None
    try:
        oauth_proxy = deployment.credentials.http_proxy
        if oauth_proxy is None:
            proxy = proxy_for(host)
        else:
            proxy = parse_proxy(oauth_proxy.reveal(), "admin.httpProxyURL")
    except ValueError as error:
        raise RpcError("FAILED_PRECONDITION", str(error)) from None
    is_deployment = (host, port) == split_endpoint(deployment.address)
    return Target(parts.scheme, host, port, path, proxy, is_deployment)
