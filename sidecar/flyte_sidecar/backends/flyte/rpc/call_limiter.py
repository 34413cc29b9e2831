"""How many calls a transport has open at once, and which writes it no longer sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcMethod
from flyte_sidecar.events.write_order import is_abandoned, is_writing

MAX_CALLS = 130
"""Maximum number of concurrent calls that are not streams.

Go's HTTP/2 server accepts 250 calls and streams on a connection. It resets further ones until it
has announced this limit. After that they wait inside gRPC, and the wait counts towards their
deadline.
"""

MAX_WRITES = 20
"""Maximum number of concurrent calls of writes, in addition, so that no write waits for reads."""


class CallLimiter:
    """Limits the concurrent calls of one transport."""

    def __init__(self) -> None:
        self._calls = asyncio.Semaphore(MAX_CALLS)
        self._writes = asyncio.Semaphore(MAX_WRITES)

    @asynccontextmanager
    async def slot(self, rpc: RpcMethod[Any, Any]) -> AsyncIterator[None]:
        """Wait until a call may be sent.

        Raises
        ------
        asyncio.CancelledError
            If the client of a write has abandoned it.
        """
        async with self._writes if is_writing() else self._calls:
            if rpc.writes and is_abandoned():
                raise asyncio.CancelledError
            yield
