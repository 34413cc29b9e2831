"""A bench with an end."""

from __future__ import annotations

import asyncio

from flyte_sidecar.rpc.shutdown import Shutdown
from tests.conftest import TEST_TIMEOUT
from tests.rpc.bench import Bench


class Ending(Bench):
    def __init__(self) -> None:
        super().__init__()
        self.lifecycle = Shutdown(self.connection)

    def exit(self) -> None:
        self.send({"jsonrpc": "2.0", "method": "exit"})

    async def status(self) -> int:
        return await asyncio.wait_for(asyncio.shield(self.lifecycle.ended), TEST_TIMEOUT)
