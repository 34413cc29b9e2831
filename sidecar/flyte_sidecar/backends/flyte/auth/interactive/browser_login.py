"""The login in a browser on this machine: the code flow with PKCE (RFC 7636, RFC 8252)."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.discovery import OAuthConfig
from flyte_sidecar.backends.flyte.auth.interactive.browser import Browser, opened
from flyte_sidecar.backends.flyte.auth.interactive.failures import (
    login_failed,
    login_refused,
    nobody_finished,
)
from flyte_sidecar.backends.flyte.auth.interactive.loopback_listener import LoopbackListener
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginPrompt
from flyte_sidecar.backends.flyte.auth.interactive.shown import shown
from flyte_sidecar.backends.flyte.auth.oauth import OAuthError, TokenClient
from flyte_sidecar.backends.flyte.timing import Timing

if TYPE_CHECKING:
    from oauthlib.oauth2 import WebApplicationClient

SECRET_LENGTH = 64
"""Length of the state and of the code verifier, in characters."""


async def log_in_by_browser(
    config: OAuthConfig,
    tokens: TokenClient,
    prompt: LoginPrompt,
    address: str,
    timing: Timing,
    *,
    browser: Browser,
) -> Login:
    """Show the provider's page to a person, and return the login after they have finished it.

    Parameters
    ----------
    address
        Of the deployment, for the person.
    browser
        Where the person opens the page; elsewhere, they forward the listener's port.

    Raises
    ------
    RpcError
        If it is denied, cancelled, or not finished in time.
    """
    from oauthlib.common import generate_token
    from oauthlib.oauth2 import WebApplicationClient

    if not config.authorization_endpoint:
        raise login_failed("the deployment announces no authorization endpoint")
    client = WebApplicationClient(config.client_id)
    verifier = client.create_code_verifier(SECRET_LENGTH)
    state = generate_token(SECRET_LENGTH)
    async with LoopbackListener(config.redirect_uri, state) as listener:
        url = _authorization_url(config, client, listener.redirect_uri, state, verifier)
        message = f"To log in to {address}, open {url}"
        if browser == "elsewhere":
            message += f" on this machine, or where its port {listener.port} is forwarded to"
        expires_at = timing.now() + timedelta(seconds=timing.login_timeout)
        async with shown(prompt, url, None, message, expires_at):
            try:
                async with asyncio.timeout(timing.login_timeout):
                    async with opened(url) if browser == "opened" else nullcontext():
                        code = await listener.code
                return await tokens.exchange_code(code, listener.redirect_uri, verifier)
            except TimeoutError:
                raise nobody_finished(timing.login_timeout) from None
            except OAuthError as error:
                raise login_refused(error) from None


def _authorization_url(
    config: OAuthConfig, client: WebApplicationClient, redirect_uri: str, state: str, verifier: str
) -> str:
    scheme, _, rest = config.authorization_endpoint.partition("://")
    # oauthlib rejects http, which is secure on a loopback address.
    url: str = client.prepare_request_uri(
        f"https://{rest}",
        redirect_uri=redirect_uri,
        scope=[*config.scopes],
        state=state,
        code_challenge=client.create_code_challenge(verifier, "S256"),
        code_challenge_method="S256",
        audience=config.audience,
    )
    return f"{scheme}://{url.removeprefix('https://')}"
