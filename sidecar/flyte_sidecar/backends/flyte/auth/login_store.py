"""The login that the `flyte` command stored, which the sidecar uses and keeps up to date."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Concatenate, Literal, ParamSpec, TypeVar

import msgspec
from msgspec import Struct

from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.headers import is_token
from flyte_sidecar.backends.flyte.auth.login_locks import Purpose, login_lock
from flyte_sidecar.backends.flyte.auth.stores.keyring_package import KeyringPackage
from flyte_sidecar.backends.flyte.auth.stores.macos_keychain import MacosKeychain
from flyte_sidecar.backends.flyte.auth.stores.notebook_file import NotebookFile, notebook_file
from flyte_sidecar.backends.flyte.auth.stores.password_store import (
    NoStore,
    PasswordStore,
    StoreFailure,
    StoreKind,
)
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

STORE_TIMEOUT = 30.0
"""Seconds for one operation of a store; the user may have to unlock it."""

MAX_ENTRY_LENGTH = 64 << 10
"""Characters of an entry beyond which it is not a login."""

OWN_PREFIX = "flyte-sidecar:"
"""Precedes the service of logins that Flyte's SDK must not overwrite."""

Form = Literal["tokens", "separate"]
"""One entry with both tokens, as the SDK stores them since 2.5.10, or an entry for each."""

_TOKENS, _ACCESS, _REFRESH = "tokens", "access_token", "refresh_token"
"""The users of the entries."""

_SCHEMES = re.compile(r"\A(?:(?:dns|https?)://+)+")


class Place(Struct, frozen=True):
    """Where a login is stored, and in which form; `name` is for people."""

    kind: StoreKind
    form: Form
    name: str


class StoredLogin(Struct, frozen=True):
    """A login, and where it was found."""

    login: Login
    place: Place


class _Tokens(Struct):
    """The JSON text of the form `tokens`."""

    access_token: str | None = None
    refresh_token: str | None = None


class LoginStore:
    """The stored login of one deployment: in the keyring, else in the file for notebooks.

    Parameters
    ----------
    deployment
        Its endpoint names the login. Its config may exclude stored logins.
    state_folder
        The user's folder for the state of all sidecars; None if it is unknown.
    stores
        Where logins are stored, in the order in which they are read; None for those of the user.

    Attributes
    ----------
    failure
        Why the last operation could not use a store, for people; None if it could use all.
    unsaved
        Why the last login was not stored; None if it was.
    """

    def __init__(
        self,
        deployment: Deployment,
        state_folder: Path | None,
        stores: Sequence[PasswordStore] | None = None,
    ) -> None:
        credentials = deployment.credentials
        self._disabled: str | None = None
        self._state_folder = state_folder
        self._sdk_service = service_name(deployment.endpoint)
        self._service = self._sdk_service
        if credentials.proxy_command is not None:
            # The SDK overwrites its login with the token for the proxy.
            self._service = OWN_PREFIX + self._sdk_service
        if credentials.disable_keyring:
            self._disabled, stores = "the config disables stored logins (admin.disableKeyring)", ()
        self.failure = self._disabled
        self.unsaved: str | None = None
        self._stores = _stores_of_user(deployment) if stores is None else stores
        self._logged: set[str] = set()

    async def read(self) -> StoredLogin | None:
        """Return the stored login; None if there is none, or it cannot be read."""
        self.failure = self._disabled
        for store in self._stores:
            found = await self._run("no stored login is read", store, _read, self._service)
            if found is not None:
                login, form = found
                return StoredLogin(login, Place(store.kind, form, store.name))
        return None

    async def write(self, login: Login, place: Place | None) -> bool:
        """Store a login where it was found, or in the keyring; return whether it is stored."""
        self.failure, stored = self._disabled, None
        kind, form = (place.kind, place.form) if place else ("keyring", "tokens")
        for store in self._stores:
            if store.kind == kind:
                problem = "the login is kept in memory only"
                stored = await self._run(problem, store, _write, self._service, login, form)
        self.unsaved = None if stored else self.failure
        return bool(stored)

    async def delete(self) -> list[str]:
        """Delete the login in every form; return the names of the stores that contained it."""
        self.failure = self._disabled
        services = {self._service, self._sdk_service}
        deleted = []
        for store in self._stores:
            if await self._run("no stored login is deleted", store, _delete, services):
                deleted.append(store.name)
        return deleted

    def lock(self, purpose: Purpose, timeout: float) -> AbstractAsyncContextManager[None]:
        """Return the lock that all sidecars of the user share for this login.

        Parameters
        ----------
        timeout
            Seconds to wait for it. Afterwards, the work is done without the lock.
        """
        return login_lock(self._state_folder, self._service, purpose, timeout)

    async def _run(
        self,
        problem: str,
        store: PasswordStore,
        function: Callable[Concatenate[PasswordStore, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T | None:
        """Return the result of a blocking function; None if the store fails, which is logged."""
        try:
            return await store.calls.run(partial(function, store, *args, **kwargs), STORE_TIMEOUT)
        except StoreFailure as failure:
            reason = str(failure)
        except TimeoutError:
            reason = f"{store.name} did not respond within {STORE_TIMEOUT:g} s"
        except RuntimeError:
            reason = "no thread can be started"
        self.failure = self.failure or reason
        line = f"{problem}: {reason}"
        logger.log(logging.DEBUG if line in self._logged else logging.INFO, "%s", line)
        self._logged.add(line)
        return None


def service_name(endpoint: str) -> str:
    """Return the name under which the SDK stores the login for an endpoint."""
    return _SCHEMES.sub("", endpoint.strip()).removesuffix("/")


def _stores_of_user(deployment: Deployment) -> Sequence[PasswordStore]:
    keyring: PasswordStore = MacosKeychain() if sys.platform == "darwin" else KeyringPackage()
    try:
        # A file beside one that was only found may be a part of a cloned repository.
        beside = deployment.config_file if deployment.config_named else None
        return keyring, NotebookFile(notebook_file(beside))
    except RuntimeError:
        return (keyring,)


def _read(store: PasswordStore, service: str) -> tuple[Login, Form] | None:
    tokens = _decode(store.get(service, _TOKENS))
    if (login := _login(tokens.access_token, tokens.refresh_token)) is not None:
        return login, "tokens"
    refresh, access = (store.get(service, user) for user in (_REFRESH, _ACCESS))
    login = _login(access, refresh)
    return None if login is None else (login, "separate")


def _decode(entry: str | None) -> _Tokens:
    """Return the tokens in an entry, which anybody could have written."""
    try:
        if entry and len(entry) <= MAX_ENTRY_LENGTH:
            return msgspec.json.decode(entry, type=_Tokens)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    return _Tokens()


def _login(access: str | None, refresh: str | None) -> Login | None:
    """Return a login with the tokens that a header can contain; None if there is no such token."""
    access, refresh = (
        token if token is not None and len(token) <= MAX_ENTRY_LENGTH and is_token(token) else None
        for token in (access, refresh)
    )
    if access is None and refresh is None:
        return None
    return Login(Secret(access or ""), None if refresh is None else Secret(refresh))


def _write(store: PasswordStore, service: str, login: Login, form: Form) -> bool:
    access = login.access_token.reveal()
    refresh = None if login.refresh_token is None else login.refresh_token.reveal()
    entries: dict[str, str]
    if form == "tokens":
        entries = {_TOKENS: msgspec.json.encode(_Tokens(access, refresh)).decode()}
    else:
        # If only the first is written, the login can still be renewed.
        entries = {_ACCESS: access} if refresh is None else {_REFRESH: refresh, _ACCESS: access}
    for user, entry in entries.items():
        store.set(service, user, entry)
        if store.get(service, user) != entry:
            raise StoreFailure(f"{store.name} stores nothing")
    return True


def _delete(store: PasswordStore, services: set[str]) -> bool:
    """Return whether there was an entry to delete."""
    found = False
    with suppress(NoStore):
        for service in sorted(services):
            for user in (_TOKENS, _ACCESS, _REFRESH):
                if store.get(service, user) is not None:
                    store.delete(service, user)
                    found = True
    return found
