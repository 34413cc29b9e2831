"""Where a Flyte deployment is, and how it is reached. Nothing heavy is imported here."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote

from msgspec import Struct

from flyte_sidecar.backends.flyte.proxy import Proxy

TLS_PORT = 443
PLAIN_PORT = 80

_PLACE = re.compile(
    r"(?:\[(?P<address>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>\w[\w.-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)
_DEVBOX = "localhost:8090"
_DEVBOX_CONSOLE = "localhost:8080"


class Deployment(Struct, frozen=True, kw_only=True):
    """A Flyte deployment, as its user names it; ValueError where that names no host.

    Attributes
    ----------
    endpoint
        ``host[:port]``, with or without one of the schemes ``dns:///``, ``http://`` and
        ``https://``, which say nothing.
    insecure
        Whether to speak plaintext; the next two count only where it is false.
    ca_cert_file
        A PEM file of what is trusted instead of the system's certificates.
    insecure_skip_verify
        Whether to trust whatever the server shows, unless there is a `ca_cert_file`.
    org, project, domain
        Where runs are looked for, unless a request says so.
    proxy
        The proxy on the way there.
    """

    endpoint: str
    insecure: bool = False
    ca_cert_file: str | None = None
    insecure_skip_verify: bool = False
    org: str | None = None
    project: str | None = None
    domain: str | None = None
    proxy: Proxy | None = None

    def __post_init__(self) -> None:
        split_endpoint(self.endpoint)

    @property
    def address(self) -> str:
        """``host:port``."""
        host, port = split_endpoint(self.endpoint)
        return f"{_written(host)}:{port or (PLAIN_PORT if self.insecure else TLS_PORT)}"

    @property
    def route(self) -> str:
        """The address, and the proxy on the way there, for messages."""
        return f"{self.address} (proxy {self.proxy.address})" if self.proxy else self.address

    @property
    def default_org(self) -> str | None:
        """The org that was named, or else the first label of a host name of three or more."""
        return self.org or org_from_host(split_endpoint(self.endpoint)[0])

    def run_url(self, project: str, domain: str, run: str) -> str:
        """Give the page of a run in the deployment's console, as Flyte's SDK puts it together."""
        host, port = split_endpoint(self.endpoint)
        where = self.address if port else _written(host)
        where = _DEVBOX_CONSOLE if where == _DEVBOX else where
        scheme = "http" if self.insecure else "https"
        place = f"domain/{quote(domain, '')}/project/{quote(project, '')}/runs/{quote(run, '')}"
        return f"{scheme}://{where}/v2/{place}"


def split_endpoint(endpoint: str) -> tuple[str, int | None]:
    """Give the host, in lower case, and the port of an endpoint.

    Raises
    ------
    ValueError
        If it names no host, or has more to it than host and port.
    """
    if "@" in endpoint:  # what stands before it is not repeated
        raise ValueError("an endpoint holds no user and no password")
    scheme, mark, rest = endpoint.strip().rpartition("://")
    if mark and scheme not in ("dns", "http", "https"):
        raise ValueError(f"an endpoint has the scheme dns, http or https, not {scheme!r}")
    found = _PLACE.fullmatch(rest.removeprefix("/") if scheme == "dns" else rest)
    try:
        if found is None:
            raise ValueError
        address = found["address"]
        host = str(ipaddress.IPv6Address(address)) if address else found["name"].lower()
        port = None if found["port"] is None else int(found["port"])
        if port is not None and not 0 < port < 1 << 16:
            raise ValueError
    except ValueError:
        words = f"the endpoint {endpoint!r} is no host:port, nor [IPv6 address]:port"
        raise ValueError(words) from None
    return host, port


def org_from_host(host: str) -> str | None:
    """Give the org that a host name tells: its first label of three or more."""
    labels = host.rstrip(".").split(".")
    is_address = ":" in host or labels[-1].isdigit()
    return labels[0] if len(labels) >= 3 and not is_address else None


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
