"""Selects how a person logs in: in a browser, or by a code on another device."""

from __future__ import annotations

import logging

from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.discovery import Discovery
from flyte_sidecar.backends.flyte.auth.interactive.browser import Browser, has_browser
from flyte_sidecar.backends.flyte.auth.interactive.browser_login import log_in_by_browser
from flyte_sidecar.backends.flyte.auth.interactive.device_login import log_in_by_device
from flyte_sidecar.backends.flyte.auth.interactive.failures import login_failed, login_refused
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginPrompt
from flyte_sidecar.backends.flyte.auth.oauth import OAuthError, OAuthHttp, open_token_client
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.timing import Timing

logger = logging.getLogger(__name__)


class InteractiveLogin:
    """Asks a person to log in at a deployment.

    Parameters
    ----------
    discovery, http
        How and through what the identity provider is reached.
    """

    def __init__(
        self, deployment: Deployment, discovery: Discovery, http: OAuthHttp, timing: Timing
    ) -> None:
        self._address = deployment.address
        self._config_named = deployment.config_named
        self._by_device = deployment.credentials.auth_type == "DeviceFlow"
        self._discovery = discovery
        self._http = http
        self._timing = timing

    async def log_in(self, prompt: LoginPrompt, *, explicit: bool) -> Login:
        """Return the login of the person.

        Parameters
        ----------
        prompt
            Shows the login.
        explicit
            Whether the person has asked for the login, and not only a request needs it.

        Raises
        ------
        RpcError
            If it is denied, cancelled, not possible, or not finished in time.
        """
        config = await self._discovery.config()
        tokens = await open_token_client(config, self._http)
        if not config.client_id:
            raise login_failed("the deployment announces no client for logins")
        browser: Browser = "elsewhere"
        if has_browser():
            # With single sign-on, opening the page can be enough to log in. The endpoint of a
            # cloned repository must not get a login in this way.
            browser = "opened" if explicit or self._config_named else "here"
        if self._by_device and not config.device_endpoint:
            raise login_failed("the deployment announces no device authorization endpoint")
        if self._by_device or (config.device_endpoint and browser == "elsewhere"):
            try:
                code = await tokens.start_device_login()
            except OAuthError as error:
                if self._by_device:
                    raise login_refused(error) from None
                logger.info("no login by a code: %s", error.reason)
            else:
                return await log_in_by_device(code, tokens, prompt, self._address, self._timing)
        return await log_in_by_browser(
            config, tokens, prompt, self._address, self._timing, browser=browser
        )
