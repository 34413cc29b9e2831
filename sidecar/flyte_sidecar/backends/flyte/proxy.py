"""The HTTP proxy through which a deployment is reached.

The proxy is selected here, since gRPC's C core reads only the lower-case environment variables, and
since `tls` too connects through it, to pin a certificate. gRPC nevertheless excludes each host that
ends with an entry of `no_proxy`, so the rule below must exclude these too.
"""

from __future__ import annotations

import ipaddress
import os
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from flyte_sidecar.backends.flyte.address import join_host_port

PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
NO_PROXY_VARIABLES = ("no_grpc_proxy", "no_proxy", "NO_PROXY")


class Proxy(Struct, frozen=True):
    """An HTTP proxy that supports CONNECT.

    Attributes
    ----------
    variable
        The environment variable that defines it.
    """

    host: str
    port: int
    user: str | None
    password: str
    variable: str

    def __repr__(self) -> str:
        return f"Proxy({self.address!r}, {self.variable!r})"  # without the credentials

    @property
    def address(self) -> str:
        """``host:port``, without the credentials."""
        return join_host_port(self.host, self.port)

    @property
    def url(self) -> str:
        """The URL, with the credentials, as gRPC expects it."""
        credentials = f"{quote(self.user, '')}:{quote(self.password, '')}@" if self.user else ""
        return f"http://{credentials}{self.address}"

    @property
    def authorization(self) -> str | None:
        """The value of the ``Proxy-Authorization`` header; None without credentials."""
        if not self.user:
            return None
        return "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()


def proxy_for(host: str, environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """Return the proxy for a host by the environment variables; None for a direct connection.

    Raises
    ------
    ValueError
        If the variable does not define an HTTP proxy.
    """
    variable = _first_set(PROXY_VARIABLES, environment)
    if variable is None or _is_excluded(host, environment):
        return None
    return parse_proxy(environment[variable], variable)


def parse_proxy(url: str, variable: str) -> Proxy:
    """Return the proxy with a URL; the variable, or the setting, defines it.

    Raises
    ------
    ValueError
        If it is not an HTTP proxy.
    """
    value = url.strip()
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        host, port = parts.hostname, parts.port or 80
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        value.encode()
    except ValueError:
        host = None
    if host is None or parts.scheme != "http":
        # The message must not repeat a password.
        raise ValueError(f"{variable} must be http://host:port: only HTTP proxies are supported")
    return Proxy(host, port, user or None, password, variable)


def _first_set(variables: tuple[str, ...], environment: Mapping[str, str]) -> str | None:
    return next((name for name in variables if environment.get(name, "").strip()), None)


def _is_excluded(host: str, environment: Mapping[str, str]) -> bool:
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    variable = _first_set(NO_PROXY_VARIABLES, environment)
    entries = environment[variable].replace(",", " ").split() if variable else ()
    return any(_excludes(entry.lower(), host, address) for entry in entries)


def _excludes(
    entry: str, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None
) -> bool:
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    suffix = entry.removeprefix("*")
    return host.endswith(suffix) or host == suffix.removeprefix(".")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
