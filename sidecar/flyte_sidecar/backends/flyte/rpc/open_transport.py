"""Opens the transport and the HTTP client of a deployment, which trust the same certificates."""

from __future__ import annotations

from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc import grpc_transport, tls
from flyte_sidecar.backends.flyte.rpc.connect_transport import ConnectTransport
from flyte_sidecar.backends.flyte.rpc.fallback_transport import FallbackTransport
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcTransport


async def open_transport(
    deployment: Deployment, user_agent: str
) -> tuple[RpcTransport, HttpClient]:
    """Return a transport and an HTTP client, which connect at their first call.

    Closing the transport may close the client too.

    Raises
    ------
    RpcError
        If the certificates to trust cannot be loaded.
    """
    trust = None if deployment.insecure else await tls.load_trust(deployment)
    http = HttpClient(deployment, trust, user_agent)
    if deployment.transport == "connect":
        return ConnectTransport(http), http
    grpc = grpc_transport.connect(deployment, user_agent, trust)
    if deployment.transport == "grpc":
        return grpc, http
    return FallbackTransport(grpc, ConnectTransport(http)), http
