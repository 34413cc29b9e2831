"""The login that failed last, so that nobody is asked again and again."""

from __future__ import annotations

import asyncio
import math

from flyte_sidecar.backends.flyte.auth.interactive.failures import LoginCancelled
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginPrompt
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError


class FailedLogin:
    """Lets requests fail after a failed login, instead of asking a person again.

    Parameters
    ----------
    prompt
        What has shown the login. Once the person asks for another one, requests do not fail.
    retry_interval
        How long requests fail, in seconds; after a login that the person cancelled, without end.
    """

    def __init__(self, prompt: LoginPrompt, retry_interval: float) -> None:
        self._prompt = prompt
        self._retry_interval = retry_interval
        self._error: RpcError | None = None
        self._retry_at = 0.0
        self._asked = 0

    def record(self, error: RpcError) -> None:
        """Record why a login failed."""
        self._error = error
        self._asked = self._prompt.asked_again
        self._retry_at = math.inf
        if not isinstance(error, LoginCancelled):
            self._retry_at = asyncio.get_running_loop().time() + self._retry_interval

    def forget(self) -> None:
        """Forget the failure."""
        self._error = None

    def check(self) -> None:
        """Raise the error of the failed login if nobody is to be asked now."""
        if self._error is None or self._asked != self._prompt.asked_again:
            return
        if asyncio.get_running_loop().time() < self._retry_at:
            raise RpcError(self._error.status, self._error.message)
