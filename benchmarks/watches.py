"""Notifications: the time from a change to its notification, and the load of idle watches."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.client import SETTLE, Line, Server, encode
from benchmarks.deployment import DOMAIN, PROJECT, SOME, deployment, name
from benchmarks.direct_calls import DirectCalls
from benchmarks.report import Figure, figures, percentile
from benchmarks.run_size import RunSize
from benchmarks.store import RUN, fill, named, serve, signalled

WATCHES = 100
"""Number of idle watches."""


def watches(folder: Path, size: RunSize) -> str:
    """Measure watches on both backends."""
    parts = [_embedded(folder, size), _at_rest(folder, size), _flyte(folder, size)]
    return "\n\n".join(parts)


def _embedded(folder: Path, size: RunSize) -> str:
    """Measure the time from a signal in one process to the notification in another."""
    times = []
    with serve(folder / "watched.db") as signaller, serve(folder / "watched.db") as watcher:
        fill(signaller, size.waits)
        _watch(watcher, RUN, size.waits)
        for place in range(size.waits):
            seconds, message = signalled(signaller, place, watcher)
            times.append(seconds)
            _is_resolved(message, named(place)["name"])
    return figures(
        f"signal in one process to events.changed in another, {size.waits} times",
        [
            Figure("p50, ms", [percentile(times, 50) * 1e3], "below 30"),
            Figure("p99, ms", [percentile(times, 99) * 1e3], "below 50"),
        ],
    )


def _at_rest(folder: Path, size: RunSize) -> str:
    """Measure the CPU load of a sidecar with many idle watches."""
    with serve(folder / "rest.db") as server:
        fill(server, 1)
        _watch(server, RUN, 1, WATCHES)
        load = server.load_at_rest(size.idle_seconds)
    return figures(
        f"{WATCHES} open watches, idle for {size.idle_seconds:.0f} s",
        [Figure("CPU time, % of a core", [load], "below 1")],
    )


def _flyte(folder: Path, size: RunSize) -> str:
    """Measure the time from a direct SignalEvent to the change, directly and through a watch."""
    with deployment(folder / "watched.json", "2.0.43") as endpoint:
        arguments = ("--endpoint", endpoint, "--insecure", "--project", PROJECT, "--domain", DOMAIN)
        command = (sys.executable, "-m", "flyte_sidecar", "--backend", "flyte", *arguments)
        with Server(command, Line) as watcher:
            _watch(watcher, name(SOME), SOME)
            direct, own = asyncio.run(_signalled(endpoint, watcher, size.waits))
    added = [mine - theirs for mine, theirs in zip(own, direct, strict=True)]
    return figures(
        f"Flyte 2.0.43: direct SignalEvent to the change, {size.waits} times",
        [
            Figure("direct WatchActions, p50, ms", [percentile(direct, 50) * 1e3]),
            Figure("events.changed, p50, ms", [percentile(own, 50) * 1e3]),
            Figure("added, p50, ms", [percentile(added, 50) * 1e3], "below 5"),
            Figure("added, p99, ms", [percentile(added, 99) * 1e3]),
        ],
    )


async def _signalled(endpoint: str, watcher: Server, count: int) -> tuple[list[float], list[float]]:
    """Return the seconds until each change was received directly, and through the watch."""
    direct = DirectCalls(endpoint, PROJECT, DOMAIN, by_type=True)
    ids = await direct.ids(name(SOME))
    changes = direct.ended(name(SOME), len(ids))
    listening = asyncio.ensure_future(anext(changes))  # the stream opens with the first read
    await asyncio.sleep(SETTLE)
    directly, by_watch = [], []
    for action in ids[1 : count + 1]:  # the first was answered before
        start = time.perf_counter()

        def received(since: float = start) -> float:
            _is_resolved(watcher.receive())
            return time.perf_counter() - since

        receiving = asyncio.get_running_loop().run_in_executor(None, received)
        await direct.signal(name(SOME), action)
        assert await listening == action
        directly.append(time.perf_counter() - start)
        by_watch.append(await receiving)
        listening = asyncio.ensure_future(anext(changes))
    listening.cancel()
    await direct.close()
    return directly, by_watch


def _watch(server: Server, run: str, count: int, watches: int = 1) -> None:
    """Open watches, and read their notifications until they are synced."""
    params = ({"watch": f"w{place}", "runName": run} for place in range(watches))
    for request in encode("events.watch", params):
        server.send(request)
        for _ in range(count):
            assert _decode(server.receive())["method"] == "events.changed"
        assert _decode(server.receive())["method"] == "events.synced"


def _is_resolved(message: bytes, name: str | None = None) -> None:
    params: dict[str, Any] = _decode(message)["params"]
    assert params["change"] == "resolved"
    assert name in (None, params["event"]["name"])


_decode = msgspec.json.decode
