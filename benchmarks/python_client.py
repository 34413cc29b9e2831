"""The Python client compared with the raw pipe.

`python -m benchmarks.python_client STORE COUNT` prints the figures for
`benchmarks.client_overhead`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.client import Line, Server
from benchmarks.report import percentile
from flyte_sidecar.client import Client

TARGET = {"runName": "bench", "name": "event"}
WARM = 1_000


async def main(store: Path, count: int) -> None:
    """Measure the client and the raw pipe, and print the figures."""
    async with Client.spawn("--store", str(store)) as client:
        await client.request("events.create", **TARGET)
        client_figures = await measure(lambda: client.request("events.get", **TARGET), count)
    measured = {"raw": raw(store, count), "client": client_figures}
    sys.stdout.write(f"{msgspec.json.encode(measured).decode()}\n")


async def measure(get: Callable[[], Awaitable[Any]], count: int) -> dict[str, float]:
    """Return the figures of a request."""
    for _ in range(WARM):
        await get()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        await get()
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    await asyncio.gather(*(get() for _ in range(count)))
    return summarize(times, count / (time.perf_counter() - start))


def raw(store: Path, count: int) -> dict[str, float]:
    """Return the figures of the same requests on the raw pipe, with the results decoded."""
    command = (sys.executable, "-P", "-m", "flyte_sidecar", "--store", str(store))
    with Server(command, Line) as server:
        for _ in range(WARM):
            server.request("events.get", **TARGET)
        times = []
        for _ in range(count):
            start = time.perf_counter()
            server.request("events.get", **TARGET)
            times.append(time.perf_counter() - start)
        request = {"jsonrpc": "2.0", "id": 0, "method": "events.get", "params": TARGET}
        seconds, responses = server.pipelined([msgspec.json.encode(request)] * count)
        start = time.perf_counter()
        for response in responses:
            msgspec.json.decode(response)
        seconds += time.perf_counter() - start
    return summarize(times, count / seconds)


def summarize(times: list[float], per_second: float) -> dict[str, float]:
    """Return the figures by name; `times` is in seconds."""
    return {
        "p50": percentile(times, 50) * 1e3,
        "p99": percentile(times, 99) * 1e3,
        "perSecond": per_second,
    }


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
