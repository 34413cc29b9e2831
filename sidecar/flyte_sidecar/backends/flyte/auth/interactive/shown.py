"""Shows a login while a person may finish it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from flyte_sidecar.backends.flyte.auth.interactive.failures import LoginCancelled, login_failed
from flyte_sidecar.backends.flyte.auth.interactive.prompt import LoginPrompt, LoginRequest
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError

CANCELLED = "the login was cancelled"


@asynccontextmanager
async def shown(
    prompt: LoginPrompt, url: str, user_code: str | None, message: str, expires_at: datetime
) -> AsyncIterator[None]:
    """Show a login to a person until the work inside ends.

    Raises
    ------
    LoginCancelled
        If the person cancels it.
    """
    scope = asyncio.timeout(None)
    login = LoginRequest(url, user_code, message, expires_at, lambda: scope.reschedule(0))
    failure: str | None = CANCELLED
    try:
        async with scope:
            prompt.required(login)
            yield
        failure = None
    except TimeoutError:
        if not scope.expired():
            raise
        cancelled = login_failed(CANCELLED, LoginCancelled)
        failure = cancelled.message
        raise cancelled from None
    except RpcError as error:
        failure = error.message
        raise
    finally:
        prompt.ended(login, failure)
