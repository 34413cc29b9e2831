"""Logins of people: refreshed without them where possible, and shared with other processes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from functools import partial

from flyte_sidecar._futures import retrieve_exception, wait_all
from flyte_sidecar.backends.flyte.auth.authorization import Authorization, Login
from flyte_sidecar.backends.flyte.auth.discovery import Discovery
from flyte_sidecar.backends.flyte.auth.failed_login import FailedLogin
from flyte_sidecar.backends.flyte.auth.headers import bearer
from flyte_sidecar.backends.flyte.auth.interactive.failures import login_failed, nobody_finished
from flyte_sidecar.backends.flyte.auth.interactive.log_in import InteractiveLogin
from flyte_sidecar.backends.flyte.auth.interactive.prompt import (
    LoginPrompt,
    ReplaceablePrompt,
    may_ask,
)
from flyte_sidecar.backends.flyte.auth.login_store import LoginStore, Place
from flyte_sidecar.backends.flyte.auth.oauth import (
    OAuthError,
    OAuthHttp,
    TokenClient,
    open_token_client,
)
from flyte_sidecar.backends.flyte.auth.shared_task import KeptTasks, SharedTask
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.timing import Timing

logger = logging.getLogger(__name__)

REFRESH_LOCK_TIMEOUT = 60.0
"""Time to wait for another process that refreshes the login, in seconds."""

SETTLE_TIMEOUT = 5.0
"""Time for new tokens to arrive and be stored before the process ends, in seconds."""

_NEW_LOGIN_REJECTED = "the server rejects the new login: its operators may know the reason"


class OAuthAuthenticator:
    """An `Authenticator` for the kinds Pkce and DeviceFlow.

    Parameters
    ----------
    discovery, http
        How and through what the identity provider is reached.
    store
        The login that all processes of the user share.
    prompt
        Shows logins to a person.
    """

    def __init__(
        self,
        deployment: Deployment,
        discovery: Discovery,
        http: OAuthHttp,
        store: LoginStore,
        prompt: LoginPrompt,
        timing: Timing,
    ) -> None:
        self._address = deployment.address
        self._by_device = deployment.credentials.auth_type == "DeviceFlow"
        self._discovery = discovery
        self._http = http
        self._store = store
        self._prompt = prompt
        self._timing = timing
        self._interactive = InteractiveLogin(deployment, discovery, http, timing)
        self._current: Authorization | None = None
        self._login: Login | None = None
        self._place: Place | None = None
        self._outdated: Login | None = None
        self._spent: Secret[str] | None = None
        self._loaded = False
        self._failed = FailedLogin(prompt, timing.login_retry_interval)
        self._asked: Authorization | None = None
        self._loading: SharedTask[None] = SharedTask()
        self._renewing: SharedTask[Authorization | None] = SharedTask(linger=None)
        # A client that retries after a short timeout must not cancel and show it each time.
        self._asking: SharedTask[Authorization] = SharedTask(linger=timing.login_linger)
        # The provider may accept the old tokens no more, so that nobody must interrupt these.
        self._storing = KeptTasks()

    async def current(self) -> Authorization | None:
        if not self._loaded:
            await self._loading.join(self._load)
        return self._current

    async def renew(
        self, rejected: Authorization | None, *, renewed: bool = False
    ) -> Authorization:
        if self._current is not None and self._current != rejected:
            return self._current
        found = await self._renewing.join(partial(self._renew, rejected))
        if found is not None:
            return found
        if not may_ask():
            raise login_failed("the login is missing or has expired")
        if renewed and rejected == self._asked:
            # Asking again could open the browser without end: it may finish logins by itself.
            self._failed.record(RpcError("UNAUTHENTICATED", _NEW_LOGIN_REJECTED))
        self._failed.check()
        return await self._asking.join(partial(self._ask, rejected, explicit=False))

    async def login(self) -> None:
        """Obtain a login that is certainly valid, with the help of a person if necessary.

        Raises
        ------
        RpcError
            If that fails.
        """
        rejected = await self.current()
        self._failed.forget()
        if await self._renewing.join(partial(self._renew, rejected)) is None:
            await self._asking.join(partial(self._ask, rejected, explicit=True))

    async def settle(self) -> None:
        await self._storing.wait(SETTLE_TIMEOUT)

    async def close(self) -> None:
        await self._asking.close()
        await self._loading.close()
        await self.settle()
        await self._renewing.close()

    async def _load(self) -> None:
        """Use the login that is stored, if there is one."""
        await self._adopt(await self._stored(), None)
        self._loaded = True

    async def _renew(self, rejected: Authorization | None) -> Authorization | None:
        """Return other headers than the rejected ones; None if a person has to log in."""
        async with self._store.lock("refresh", REFRESH_LOCK_TIMEOUT):
            stored = await self._stored()
            if self._current is not None and self._current != rejected:
                return self._current  # from a login that a person has finished meanwhile
            if (adopted := await self._adopt(stored, rejected)) is not None:
                return adopted
            known = [login.refresh_token for login in (stored, self._login) if login]
            refresh_token = next(filter(None, known), None)
            if refresh_token is None or refresh_token == self._spent:
                return None
            tokens = await open_token_client(await self._discovery.config(), self._http)
            renewed = await self._storing.run(self._refresh(tokens, refresh_token))
            if renewed is not None:
                return await self._use(renewed)
            # The flyte command takes no lock, so it may have used the refresh token meanwhile.
            found = await self._stored()
            return await self._adopt(found, rejected) if found != stored else None

    async def _refresh(self, tokens: TokenClient, refresh_token: Secret[str]) -> Login | None:
        """Return a refreshed login, which is stored; None if the identity provider refuses."""
        try:
            login = await tokens.refresh(refresh_token.reveal(), with_scopes=self._by_device)
        except OAuthError as error:
            self._spent = refresh_token
            logger.info("the identity provider refuses to refresh the login: %s", error.reason)
            return None
        await self._write(login)
        return login

    async def _ask(self, rejected: Authorization | None, *, explicit: bool) -> Authorization:
        """Return headers after a person has logged in, here or in another process.

        Parameters
        ----------
        explicit
            Whether the user has asked for the login, and not only a request needs it. It is then
            shown at once, even while another process shows one where nobody may see it.
        """
        prompt = ReplaceablePrompt(self._prompt)
        try:
            async with AsyncExitStack() as stack:
                await self._acquire_login_lock(stack, wait=not explicit)
                if (adopted := await self._adopt(await self._stored(), rejected)) is not None:
                    return adopted
                login = await self._log_in_here_or_elsewhere(rejected, prompt, explicit=explicit)
                if isinstance(login, Authorization):
                    return login
                self._asked = authorization = await self._use(login)
                await self._storing.run(self._save(login))
                return authorization
        except RpcError as error:
            if prompt.shown or error.status == "UNAUTHENTICATED":
                self._failed.record(error)
            raise

    async def _acquire_login_lock(self, stack: AsyncExitStack, *, wait: bool) -> None:
        """Wait while a person logs in for another process."""
        if not wait:
            await stack.enter_async_context(self._store.lock("login", 0))
            return
        timeout = self._timing.login_timeout
        loop = asyncio.get_running_loop()
        notice = loop.call_later(self._timing.stored_login_interval, self._report_login_elsewhere)
        try:
            async with asyncio.timeout(timeout):
                await stack.enter_async_context(self._store.lock("login", 2 * timeout))
        except TimeoutError:
            raise nobody_finished(timeout) from None
        finally:
            notice.cancel()

    def _report_login_elsewhere(self) -> None:
        """Log why a request waits although nothing is shown to its user."""
        logger.warning(
            "another process waits for a login at %s: finish it, or run `flyte-sidecar login`",
            self._address,
        )

    async def _log_in_here_or_elsewhere(
        self, rejected: Authorization | None, prompt: ReplaceablePrompt, *, explicit: bool
    ) -> Login | Authorization:
        """Return the login of a person, or the headers of one that is stored meanwhile.

        The person may log in with the flyte command, or with another sidecar.
        """
        here = asyncio.ensure_future(self._interactive.log_in(prompt, explicit=explicit))
        here.add_done_callback(retrieve_exception)
        try:
            while True:
                await asyncio.wait([here], timeout=self._timing.stored_login_interval)
                if here.done():
                    return here.result()
                # A store that fails could ask the user to unlock it each time.
                if self._store.failure is None:
                    adopted = await self._adopt(await self._stored(), rejected)
                    if adopted is not None:
                        prompt.replaced = True
                        return adopted
        finally:
            here.cancel()
            await wait_all([here])

    async def _save(self, login: Login) -> None:
        async with self._store.lock("refresh", REFRESH_LOCK_TIMEOUT):
            await self._write(login)

    async def _write(self, login: Login) -> None:
        """Store a login; if that fails, do not use the outdated one that remains stored."""
        if not await self._store.write(login, self._place):
            stored = await self._store.read()
            self._outdated = stored.login if stored else None

    async def _stored(self) -> Login | None:
        stored = await self._store.read()
        if stored is None or stored.login == self._outdated:
            return None
        self._place = stored.place
        return stored.login

    async def _adopt(
        self, login: Login | None, rejected: Authorization | None
    ) -> Authorization | None:
        """Return the headers of a stored login if they were not rejected, and use them."""
        if login is None or not login.access_token.reveal():
            return None
        authorization = await self._authorization(login)
        return None if authorization == rejected else await self._use(login)

    async def _use(self, login: Login) -> Authorization:
        authorization = await self._authorization(login)
        self._login, self._current, self._loaded = login, authorization, True
        self._asked = None
        self._failed.forget()
        return authorization

    async def _authorization(self, login: Login) -> Authorization:
        header = await self._discovery.header()
        return bearer(header, login.access_token.reveal(), "the login")
