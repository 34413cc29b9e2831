"""Makes the authenticator of a deployment, by its configuration."""

from __future__ import annotations

from functools import partial

from flyte_sidecar.backends.flyte.auth.authenticated_transport import AuthenticatedTransport
from flyte_sidecar.backends.flyte.auth.authorization import Authenticator, Authorization
from flyte_sidecar.backends.flyte.auth.commands import run_command
from flyte_sidecar.backends.flyte.auth.discovery import Discovery
from flyte_sidecar.backends.flyte.auth.headers import (
    PROXY_AUTHORIZATION,
    bearer,
    parse_headers,
)
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginPrompt
from flyte_sidecar.backends.flyte.auth.login_store import LoginStore
from flyte_sidecar.backends.flyte.auth.oauth import OAuthError, OAuthHttp, open_token_client
from flyte_sidecar.backends.flyte.auth.oauth_authenticator import OAuthAuthenticator
from flyte_sidecar.backends.flyte.auth.proxied import ProxiedAuthenticator, ProxiedHttpClient
from flyte_sidecar.backends.flyte.auth.unattended import UnattendedAuthenticator
from flyte_sidecar.backends.flyte.credentials import HEADERS_VARIABLE, Credentials, Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError, RpcTransport
from flyte_sidecar.backends.flyte.timing import Timing

COMMAND = "`admin.command`"
PROXY_COMMAND = "`admin.proxyCommand`"
CLIENT_SECRET = "the client secret"  # noqa: S105  no secret, but its name


def make_authenticator(
    deployment: Deployment,
    transport: RpcTransport,
    http: HttpClient,
    store: LoginStore,
    prompt: LoginPrompt,
    timing: Timing,
) -> Authenticator | None:
    """Return what authenticates the calls to a deployment; None if nothing does.

    Parameters
    ----------
    transport
        Sends calls without a login, to discover how logins are obtained.
    http
        Sends the requests to the identity provider.
    """
    credentials = deployment.credentials
    proxy = None
    oauth_http: OAuthHttp = http
    if credentials.proxy_command is not None:
        fetch = partial(_proxy_token, credentials.proxy_command)
        proxy = UnattendedAuthenticator(fetch, f"the command in {PROXY_COMMAND}")
        # It is not closed, since it shares the transport and the authenticator.
        transport = AuthenticatedTransport(transport, proxy)
        oauth_http = ProxiedHttpClient(http, proxy, deployment)
    login = None
    if not deployment.insecure:
        discovery = Discovery(transport, credentials.scopes)
        login = _login(deployment, discovery, oauth_http, store, prompt, timing)
    return login if proxy is None else ProxiedAuthenticator(proxy, login)


def _login(
    deployment: Deployment,
    discovery: Discovery,
    http: OAuthHttp,
    store: LoginStore,
    prompt: LoginPrompt,
    timing: Timing,
) -> Authenticator:
    credentials = deployment.credentials
    match credentials.auth_type:
        case "ClientSecret":
            fetch = partial(_client_token, credentials, discovery, http)
            return UnattendedAuthenticator(fetch, CLIENT_SECRET)
        case "ExternalCommand":
            fetch = partial(_command_token, credentials.command, discovery)
            return UnattendedAuthenticator(fetch, f"the command in {COMMAND}")
        case "Passthrough":
            source = HEADERS_VARIABLE if credentials.headers else f"the command in {COMMAND}"
            return UnattendedAuthenticator(partial(_headers, credentials), source)
        case "Pkce" | "DeviceFlow":
            return OAuthAuthenticator(deployment, discovery, http, store, prompt, timing)


async def _proxy_token(command: Secret[tuple[str, ...]]) -> Authorization:
    token = await run_command(command, PROXY_COMMAND)
    return bearer(PROXY_AUTHORIZATION, token, f"the command in {PROXY_COMMAND}")


async def _command_token(
    command: Secret[tuple[str, ...]] | None, discovery: Discovery
) -> Authorization:
    if command is None:
        raise RpcError("UNAUTHENTICATED", f"{COMMAND} is missing")
    token = await run_command(command, COMMAND)
    return bearer(await discovery.header(), token, f"the command in {COMMAND}")


async def _headers(credentials: Credentials) -> Authorization:
    if credentials.headers is not None:
        return parse_headers(credentials.headers.reveal(), HEADERS_VARIABLE)
    if credentials.command is None:
        message = f"Passthrough requires headers: set {HEADERS_VARIABLE}, or {COMMAND}"
        raise RpcError("UNAUTHENTICATED", message)
    output = await run_command(credentials.command, COMMAND)
    return parse_headers(output, f"the output of {COMMAND}")


async def _client_token(
    credentials: Credentials, discovery: Discovery, http: OAuthHttp
) -> Authorization:
    if credentials.client_id is None or credentials.client_secret is None:
        message = (
            "ClientSecret requires `admin.clientId` and a secret: set the variable that "
            "`admin.clientSecretEnvVar` names, or `admin.clientSecretLocation`"
        )
        raise RpcError("UNAUTHENTICATED", message)
    tokens = await open_token_client(await discovery.config(), http)
    try:
        token = await tokens.client_credentials(
            credentials.client_id, credentials.client_secret.reveal()
        )
    except OAuthError as error:
        message = f"the identity provider refuses {CLIENT_SECRET}: {error.reason}"
        raise RpcError("UNAUTHENTICATED", message) from None
    return bearer(await discovery.header(), token, "the identity provider")
