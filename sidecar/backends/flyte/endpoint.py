"""Where a Flyte deployment is, and how it is reached. Nothing heavy is imported here."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote, urlsplit

from msgspec import Struct

TLS_PORT = 443
PLAIN_PORT = 80

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
    """

    endpoint: str
    insecure: bool = False
    ca_cert_file: str | None = None
    insecure_skip_verify: bool = False
    org: str | None = None
    project: str | None = None
    domain: str | None = None

    def __post_init__(self) -> None:
        split(self.endpoint)

    @property
    def address(self) -> str:
        """``host:port``."""
        host, port = split(self.endpoint)
        default = PLAIN_PORT if self.insecure else TLS_PORT
        return f"{f'[{host}]' if ':' in host else host}:{port or default}"

    @property
    def its_org(self) -> str | None:
        """The org that was named, or else the first label of a host name of three or more."""
        return self.org or org_of(split(self.endpoint)[0])

    def run_url(self, project: str, domain: str, run: str) -> str:
        """Give the page of a run in the deployment's console, as Flyte's SDK puts it together."""
        host, port = split(self.endpoint)
        where = self.address if port else host
        where = _DEVBOX_CONSOLE if where == _DEVBOX else where
        scheme = "http" if self.insecure else "https"
        place = f"domain/{quote(domain, '')}/project/{quote(project, '')}/runs/{quote(run, '')}"
        return f"{scheme}://{where}/v2/{place}"


def split(endpoint: str) -> tuple[str, int | None]:
    """Give the host and the port of an endpoint.

    Raises
    ------
    ValueError
        If it names no host, or has more to it than host and port.
    """
    scheme, mark, rest = endpoint.strip().rpartition("://")
    if mark and scheme not in ("dns", "http", "https"):
        raise ValueError(f"an endpoint has the scheme dns, http or https, not {scheme!r}")
    rest = rest.removeprefix("/") if scheme == "dns" else rest
    try:
        parts = urlsplit(f"//{rest.removesuffix('/')}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"the endpoint {endpoint!r} is no host:port: {error}") from None
    more = parts.path or parts.query or parts.fragment or parts.username is not None
    if not host or more or port == 0 or any(char.isspace() for char in host):
        raise ValueError(f"the endpoint {endpoint!r} is no host:port")
    return host, port


def org_of(host: str) -> str | None:
    """Give the org that a host name tells: its first label of three or more."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.rstrip(".").split(".")
        return labels[0] if len(labels) >= 3 else None
    return None
