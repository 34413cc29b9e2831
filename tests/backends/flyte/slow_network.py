"""A network that is slow: a TCP proxy that delivers everything later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK = 1 << 16


@asynccontextmanager
async def delayed(endpoint: str, seconds: float) -> AsyncIterator[str]:
    """Pass connections on to an endpoint, with a delay each way; yields where it listens."""
    host, _, port = endpoint.rpartition(":")
    open_connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        open_connections.add(task)
        task.add_done_callback(open_connections.discard)
        there, back = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_deliver(reader, back, seconds))
                group.create_task(_deliver(there, writer, seconds))
        except* (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            back.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        listening_on = server.sockets[0].getsockname()[1]
        yield f"127.0.0.1:{listening_on}"
        for task in open_connections:
            task.cancel()


async def _deliver(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """Write what is read that many seconds later; raises ConnectionError at the end."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - loop.time())
            writer.write(data)
            await writer.drain()

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        while data := await reader.read(CHUNK):
            under_way.put_nowait((loop.time() + seconds, data))
        raise ConnectionResetError("the other side has closed")
