"""The address and connection options of a Flyte deployment. Does not import grpc."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, get_args
from urllib.parse import quote

from msgspec import Struct

from flyte_sidecar.backends.flyte.address import bracketed, join_host_port
from flyte_sidecar.backends.flyte.credentials import Credentials
from flyte_sidecar.backends.flyte.proxy import Proxy

TLS_PORT = 443
PLAINTEXT_PORT = 80

_HOST_AND_PORT = re.compile(
    r"(?:\[(?P<address>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>\w[\w.-]*))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
)
_REPEATED = re.compile(r"\A(dns:///)+")
"""Some config files repeat it."""
_PATH = re.compile(r"(?:/[\w.~%+:-]+)*/?", re.ASCII)

Transport = Literal["auto", "grpc", "connect"]

_DEVBOX = "localhost:8090"
_DEVBOX_CONSOLE = "localhost:8080"


class Deployment(Struct, frozen=True, kw_only=True):
    """The options for one Flyte deployment.

    Attributes
    ----------
    endpoint
        ``host[:port]``. A scheme (``dns:///``, ``http://`` or ``https://``) has no effect.
    insecure
        Whether to connect without TLS. `ca_cert_file` and `insecure_skip_verify` apply only to TLS.
    ca_cert_file
        A PEM file with the certificates to trust instead of the system's.
    insecure_skip_verify
        Whether to trust any certificate of the server, unless there is a `ca_cert_file`.
    org, project, domain
        The defaults of requests.
    proxy
        The proxy through which the deployment is reached.
    console
        The web console, if it has an own address: ``host[:port]`` or an HTTP URL.
    credentials
        How requests are authenticated.
    transport
        How requests are sent; ``auto`` is gRPC, or Connect where only that passes.
    config_file
        The path of the config file with some of these options, for people.
    config_named
        Whether the user has named that file, and it is not only found in the current folder or its
        repository.

    Raises
    ------
    ValueError
        If the endpoint, the console or the transport is invalid.
    """

    endpoint: str
    insecure: bool = False
    ca_cert_file: str | None = None
    insecure_skip_verify: bool = False
    org: str | None = None
    project: str | None = None
    domain: str | None = None
    proxy: Proxy | None = None
    console: str | None = None
    credentials: Credentials = Credentials()
    transport: Transport = "auto"
    config_file: str | None = None
    config_named: bool = True

    def __post_init__(self) -> None:
        split_endpoint(self.endpoint)
        if self.transport not in get_args(Transport):
            choices = ", ".join(get_args(Transport))
            raise ValueError(f"the transport must be one of {choices}, not {self.transport!r}")
        if self.console is not None:
            console_url(self.console, insecure=self.insecure)

    @property
    def address(self) -> str:
        """``host:port``."""
        host, port = split_endpoint(self.endpoint)
        return join_host_port(host, port or (PLAINTEXT_PORT if self.insecure else TLS_PORT))

    @property
    def route(self) -> str:
        """The address, and the proxy if there is one, for error messages."""
        return f"{self.address} (proxy {self.proxy.address})" if self.proxy else self.address

    @property
    def default_org(self) -> str | None:
        """The `org`, or else the one in the host name."""
        return self.org or org_from_host(split_endpoint(self.endpoint)[0])

    def run_url(self, project: str, domain: str, run: str) -> str:
        """Return the URL of a run in the deployment's console, as Flyte's SDK forms it."""
        if self.console is not None:
            console = console_url(self.console, insecure=self.insecure)
        else:
            host, port = split_endpoint(self.endpoint)
            address = self.address if port else bracketed(host)
            address = _DEVBOX_CONSOLE if address == _DEVBOX else address
            console = f"{_scheme(self.insecure)}://{address}"
        path = f"domain/{quote(domain, '')}/project/{quote(project, '')}/runs/{quote(run, '')}"
        return f"{console}/v2/{path}"


def split_endpoint(endpoint: str) -> tuple[str, int | None]:
    """Return the host, in lower case, and the port of an endpoint.

    Raises
    ------
    ValueError
        If it is not a host with an optional port.
    """
    if "@" in endpoint:  # the message must not repeat a password
        raise ValueError("the endpoint must not contain a user or a password")
    text = _REPEATED.sub("dns:///", endpoint.strip())
    scheme, separator, rest = text.rpartition("://")
    if separator and scheme not in ("dns", "http", "https"):
        raise ValueError(f"the scheme of an endpoint must be dns, http or https, not {scheme!r}")
    match = _HOST_AND_PORT.fullmatch(rest.removeprefix("/") if scheme == "dns" else rest)
    try:
        if match is None:
            raise ValueError
        address = match["address"]
        host = str(ipaddress.IPv6Address(address)) if address else match["name"].lower()
        port = None if match["port"] is None else int(match["port"])
        if port is not None and not 0 < port < 1 << 16:
            raise ValueError
    except ValueError:
        message = f"the endpoint must be host[:port] or [IPv6 address][:port], not {endpoint!r}"
        raise ValueError(message) from None
    return host, port


def action_url(run_url: str, action: str) -> str:
    """Return the URL of an action, which the console shows within its run."""
    return f"{run_url}?i={quote(action, '')}"


def console_url(console: str, *, insecure: bool) -> str:
    """Return the URL to which the pages of a console are added.

    The scheme is http or https, as it is written, or else by `insecure`. A path is kept, since a
    proxy may serve the console below one; a final ``/v2`` is already a part of the pages.

    Raises
    ------
    ValueError
        If it is neither ``host[:port]`` nor an HTTP URL, or has a user, a query or a fragment.
    """
    scheme, _, rest = _REPEATED.sub("", console.strip()).rpartition("://")
    address, slash, path = rest.partition("/")
    try:
        if scheme not in ("", "http", "https") or _PATH.fullmatch(slash + path) is None:
            raise ValueError
        host, port = split_endpoint(address)
    except ValueError:  # the message must not repeat a password
        message = "the console must be host[:port] or an HTTP URL, without a user or a query"
        raise ValueError(message) from None
    scheme = scheme or _scheme(insecure)
    end = f":{port}" if port else ""
    return f"{scheme}://{bracketed(host)}{end}{(slash + path).rstrip('/').removesuffix('/v2')}"


def org_from_host(host: str) -> str | None:
    """Return the first label of a host name with three or more labels, which is the org."""
    labels = host.rstrip(".").split(".")
    is_address = ":" in host or labels[-1].isdigit()
    return labels[0] if len(labels) >= 3 and not is_address else None


def _scheme(insecure: bool) -> str:
    return "http" if insecure else "https"
