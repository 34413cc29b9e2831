"""Headers that are obtained without a person: from commands, the environment, a client secret."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from flyte_sidecar.backends.flyte.auth.authorization import Authorization
from flyte_sidecar.backends.flyte.auth.shared_task import SharedTask
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError


class UnattendedAuthenticator:
    """An `Authenticator` that obtains its headers in one step.

    Parameters
    ----------
    fetch
        Obtains headers.
    source
        Where they come from, for people.
    """

    def __init__(
        self, fetch: Callable[[], Coroutine[Any, Any, Authorization]], source: str
    ) -> None:
        self._fetch = fetch
        self._source = source
        self._current: Authorization | None = None
        self._obtained = 0.0
        self._running: SharedTask[Authorization] = SharedTask()

    @property
    def age(self) -> float:
        """Seconds since the headers were obtained."""
        return time.monotonic() - self._obtained

    async def current(self) -> Authorization:
        return self._current or await self.obtain()

    async def obtain(self) -> Authorization:
        """Obtain headers again; concurrent callers share them."""
        return await self._running.join(self._replace)

    async def renew(
        self, rejected: Authorization | None, *, renewed: bool = False
    ) -> Authorization:
        current = self._current
        if current is None or current == rejected:
            current = await self.obtain()
        if current == rejected:
            raise self.rejection()
        return current

    def rejection(self) -> RpcError:
        """Return the error that the server rejects the headers, also those obtained again."""
        return RpcError("UNAUTHENTICATED", f"the server rejects what {self._source} supplies")

    async def login(self) -> None:
        await self.obtain()

    async def settle(self) -> None:
        """Return at once: nothing is stored."""

    async def close(self) -> None:
        await self._running.close()

    async def _replace(self) -> Authorization:
        self._current = await self._fetch()
        self._obtained = time.monotonic()
        return self._current
