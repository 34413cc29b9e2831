"""The login on another device, which shows a code (RFC 8628)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.discovery import is_web_url
from flyte_sidecar.backends.flyte.auth.interactive.failures import (
    login_failed,
    login_refused,
    nobody_finished,
)
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginPrompt
from flyte_sidecar.backends.flyte.auth.interactive.shown import shown
from flyte_sidecar.backends.flyte.auth.oauth import DeviceCode, OAuthError, TokenClient
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.events.plain_text import is_safe

MAX_POLL_INTERVAL = 60.0
"""Maximum interval between requests, in seconds, whatever the provider asks for."""

MAX_CODE_LENGTH = 64
"""Maximum length of a code that a person can enter, in characters."""


async def log_in_by_device(
    code: DeviceCode, tokens: TokenClient, prompt: LoginPrompt, address: str, timing: Timing
) -> Login:
    """Show a code to a person, and return the login after they have entered it.

    Raises
    ------
    RpcError
        If it is denied, cancelled, or not finished in time.
    """
    user_code, url = _user_code(code), _url(code)
    lifetime = min(code.expires_in or timing.login_timeout, timing.login_timeout)
    message = f"To log in to {address}, open {url} and check that it shows the code {user_code}"
    expires_at = timing.now() + timedelta(seconds=lifetime)
    async with shown(prompt, url, user_code, message, expires_at):
        found = await _poll(code, tokens, lifetime, timing)
        if found is not None:
            return found
        if lifetime < timing.login_timeout:
            raise _expired()
        raise nobody_finished(timing.login_timeout)


async def _poll(
    code: DeviceCode, tokens: TokenClient, lifetime: float, timing: Timing
) -> Login | None:
    """Return the login; None if it is not finished in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + lifetime
    interval = min(code.interval or timing.device_poll_interval, MAX_POLL_INTERVAL)
    while (remaining := deadline - loop.time()) > 0:
        await asyncio.sleep(min(interval, remaining))
        try:
            return await tokens.poll_device_login(code.device_code)
        except OAuthError as error:
            if error.code == "slow_down":
                interval += timing.device_slow_down
            elif error.code == "expired_token":
                raise _expired() from None
            elif error.code != "authorization_pending":
                raise login_refused(error) from None
        except RpcError as error:
            if error.status != "UNAVAILABLE":
                raise
    return None


def _user_code(code: DeviceCode) -> str:
    if not 0 < len(code.user_code) <= MAX_CODE_LENGTH or not all(map(is_safe, code.user_code)):
        raise login_failed("the identity provider sent an invalid code")
    return code.user_code


def _url(code: DeviceCode) -> str:
    """Return the URL to open, which contains the code if possible."""
    if is_web_url(code.verification_uri_complete, secure=False):
        return code.verification_uri_complete
    if not is_web_url(code.verification_uri, secure=False):
        raise login_failed("the identity provider sent an invalid URL")
    parts = urlsplit(code.verification_uri)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("user_code", code.user_code)]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _expired() -> RpcError:
    return login_failed("the code expired before the login was finished")
