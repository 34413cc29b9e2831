"""Retries: which calls are sent again after a failure, and when.

Reads are retried while a failure is transient. A write is retried only while the backend cannot
be reached and the client still waits, since the first attempt may have been executed.
`error_translation` classifies failures as transient, `Timing.backoff` returns the delays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from flyte_sidecar.backends.flyte.rpc.error_translation import is_transient, is_unreachable
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.events.write_order import is_abandoned

T = TypeVar("T")

ATTEMPTS = 5
"""Maximum number of attempts at a call."""


async def retry_read(call: Callable[[], Awaitable[T]], attempts: int, timing: Timing) -> T:
    """Return the result of a call that changes nothing; retry after transient failures.

    Raises
    ------
    RpcError
        The last failure.
    """
    failures = 0
    while True:
        try:
            return await call()
        except RpcError as failure:
            failures += 1
            if not is_transient(failure) or failures == attempts:
                raise
        await asyncio.sleep(timing.backoff(failures))


async def retry_write(
    send: Callable[[], Awaitable[None]],
    timing: Timing,
    may_retry: Callable[[], Awaitable[bool]] | None = None,
) -> None:
    """Send a write; retry while the backend cannot be reached and the client waits.

    Parameters
    ----------
    may_retry
        Awaited before each retry; false, or a failure, ends the attempts.

    Raises
    ------
    RpcError
        The last failure. Its `unconfirmed` is the first one if that attempt may have been executed.
    """
    unconfirmed: RpcError | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await send()
            return
        except RpcError as failure:
            failure.unconfirmed = unconfirmed
            if not is_unreachable(failure) or attempt == ATTEMPTS:
                raise
            unconfirmed = unconfirmed or failure
        await asyncio.sleep(timing.backoff(attempt))
        try:
            allowed = may_retry is None or await may_retry()
        except RpcError:
            allowed = False
        if not allowed or is_abandoned():
            raise unconfirmed
