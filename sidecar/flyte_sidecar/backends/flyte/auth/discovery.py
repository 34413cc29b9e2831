"""The OAuth configuration that a deployment announces."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import urlsplit

from flyteidl2.auth.auth_service_pb2 import (
    GetOAuth2MetadataRequest,
    GetOAuth2MetadataResponse,
    GetPublicClientConfigRequest,
    GetPublicClientConfigResponse,
)
from google.protobuf.message import Message
from msgspec import Struct

from flyte_sidecar.backends.flyte.auth.headers import AUTHORIZATION, is_header_name
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError, RpcMethod, RpcTransport

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)

DISCOVERY_TIMEOUT = 10.0
"""Timeout of each call, in seconds."""

MAX_URL_LENGTH = 2000
"""Maximum length of a URL from a server, in characters."""

_SERVICE = "flyteidl2.auth.AuthMetadataService"
_METADATA = RpcMethod(
    "GetOAuth2Metadata", GetOAuth2MetadataRequest, GetOAuth2MetadataResponse, _SERVICE
)
_CLIENT = RpcMethod(
    "GetPublicClientConfig", GetPublicClientConfigRequest, GetPublicClientConfigResponse, _SERVICE
)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_UNREACHABLE = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")


class OAuthConfig(Struct, frozen=True):
    """How logins to a deployment are obtained.

    Attributes
    ----------
    client_id, redirect_uri
        The client for logins by a person.
    scopes, audience
        What is requested.
    authorization_endpoint, token_endpoint, device_endpoint
        URLs of the identity provider, or empty.
    """

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    audience: str
    authorization_endpoint: str
    token_endpoint: str
    device_endpoint: str


class Discovery:
    """Reads the configuration of a deployment once.

    Parameters
    ----------
    transport
        Sends calls without a login.
    scopes
        The scopes to request instead of those that the deployment announces.
    """

    def __init__(self, transport: RpcTransport, scopes: tuple[str, ...]) -> None:
        self._transport = transport
        self._scopes = scopes
        self._config: OAuthConfig | None = None
        self._header: str | None = None

    async def header(self) -> str:
        """Return the name of the header for tokens.

        Raises
        ------
        RpcError
            If the deployment cannot be reached.
        """
        if self._header is None:
            try:
                client = await self._call(_CLIENT, GetPublicClientConfigRequest())
            except RpcError as error:
                if error.status in _UNREACHABLE:
                    raise
                return AUTHORIZATION
            self._header = _header(client)
        return self._header

    async def config(self) -> OAuthConfig:
        """Return how logins are obtained.

        Raises
        ------
        RpcError
            If the deployment cannot be reached, or does not support logins.
        """
        if self._config is None:
            metadata = await self._call(_METADATA, GetOAuth2MetadataRequest())
            client = await self._call(_CLIENT, GetPublicClientConfigRequest())
            self._header = _header(client)
            self._config = OAuthConfig(
                client_id=client.client_id,
                redirect_uri=client.redirect_uri,
                scopes=self._scopes or tuple(client.scopes),
                audience=client.audience,
                authorization_endpoint=_endpoint(
                    metadata.authorization_endpoint, "authorization endpoint"
                ),
                token_endpoint=_endpoint(metadata.token_endpoint, "token endpoint"),
                device_endpoint=_endpoint(
                    metadata.device_authorization_endpoint, "device authorization endpoint"
                ),
            )
            if not self._config.token_endpoint:
                raise RpcError("UNAUTHENTICATED", "the deployment announces no token endpoint")
        return self._config

    async def _call(self, rpc: RpcMethod[Q, R], request: Q) -> R:
        try:
            return await self._transport.call(rpc, request, DISCOVERY_TIMEOUT, ())
        except RpcError as error:
            if error.status in ("UNIMPLEMENTED", "NOT_FOUND"):
                message = "the deployment announces no identity provider"
                raise RpcError("UNIMPLEMENTED", message) from None
            raise


def is_web_url(url: str, *, secure: bool) -> bool:
    """Return whether a URL from a server can be used; if `secure`, with TLS or on this machine."""
    if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (not secure or host in _LOOPBACK))


def _endpoint(url: str, name: str) -> str:
    if url and not is_web_url(url, secure=True):
        raise RpcError("UNAUTHENTICATED", f"the {name} of the deployment is not an https URL")
    return url


def _header(client: GetPublicClientConfigResponse) -> str:
    name = client.authorization_metadata_key.lower()
    return name if is_header_name(name) else AUTHORIZATION
