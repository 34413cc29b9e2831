"""Notifications: how long a change takes to become one, and what open watches cost at rest."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.bare import Bare
from benchmarks.client import SETTLE, Line, Server, encode
from benchmarks.deployment import DOMAIN, PROJECT, SOME, deployment, name
from benchmarks.effort import Effort
from benchmarks.report import Figure, figures, percentile
from benchmarks.store import RUN, fill, named, serve, signalled

WATCHES = 100
"""Watches that are open at rest."""


def watches(folder: Path, effort: Effort) -> str:
    """Measure both backends."""
    parts = [_embedded(folder, effort), _at_rest(folder, effort), _flyte(folder, effort)]
    return "\n\n".join(parts)


def _embedded(folder: Path, effort: Effort) -> str:
    """Time a signal written to one process until another one's notification has come."""
    times = []
    with serve(folder / "watched.db") as signaller, serve(folder / "watched.db") as watcher:
        fill(signaller, effort.waits)
        _watch(watcher, RUN, effort.waits)
        for place in range(effort.waits):
            seconds, told = signalled(signaller, place, watcher)
            times.append(seconds)
            _is_resolved(told, named(place)["name"])
    return figures(
        f"signal in one process to events.changed in another, {effort.waits} times",
        [
            Figure("p50, ms", [percentile(times, 50) * 1e3], "below 30"),
            Figure("p99, ms", [percentile(times, 99) * 1e3], "below 50"),
        ],
    )


def _at_rest(folder: Path, effort: Effort) -> str:
    """Measure a sidecar that has nothing to do but many watches."""
    with serve(folder / "rest.db") as server:
        fill(server, 1)
        _watch(server, RUN, 1, WATCHES)
        load = server.load_at_rest(effort.idle_seconds)
    return figures(
        f"{WATCHES} open watches, idle for {effort.idle_seconds:.0f} s",
        [Figure("processor time, % of a core", [load], "below 1")],
    )


def _flyte(folder: Path, effort: Effort) -> str:
    """Time a signal given by hand until the change is heard by hand, and by a watch."""
    with deployment(folder / "watched.json", "2.0.43") as endpoint:
        words = ("--endpoint", endpoint, "--insecure", "--project", PROJECT, "--domain", DOMAIN)
        command = (sys.executable, "-m", "flyte_sidecar", "--backend", "flyte", *words)
        with Server(command, Line) as watcher:
            _watch(watcher, name(SOME), SOME)
            bare, own = asyncio.run(_signalled(endpoint, watcher, effort.waits))
    added = [mine - theirs for mine, theirs in zip(own, bare, strict=True)]
    return figures(
        f"Flyte 2.0.43: SignalEvent by hand to the change, {effort.waits} times",
        [
            Figure("bare WatchActions, p50, ms", [percentile(bare, 50) * 1e3]),
            Figure("events.changed, p50, ms", [percentile(own, 50) * 1e3]),
            Figure("added, p50, ms", [percentile(added, 50) * 1e3], "below 5"),
            Figure("added, p99, ms", [percentile(added, 99) * 1e3]),
        ],
    )


async def _signalled(endpoint: str, watcher: Server, count: int) -> tuple[list[float], list[float]]:
    """Give the seconds until each change was heard of by hand, and by the watch."""
    bare = Bare(endpoint, PROJECT, DOMAIN, by_type=True)
    ids = await bare.ids(name(SOME))
    heard = bare.ended(name(SOME), len(ids))
    listening = asyncio.ensure_future(anext(heard))  # its stream opens with the first look
    await asyncio.sleep(SETTLE)
    by_hand, by_watch = [], []
    for action in ids[:count]:
        start = time.perf_counter()

        def told(since: float = start) -> float:
            _is_resolved(watcher.receive())
            return time.perf_counter() - since

        telling = asyncio.get_running_loop().run_in_executor(None, told)
        await bare.signal(name(SOME), action)
        assert await listening == action
        by_hand.append(time.perf_counter() - start)
        by_watch.append(await telling)
        listening = asyncio.ensure_future(anext(heard))
    listening.cancel()
    await bare.close()
    return by_hand, by_watch


def _watch(server: Server, run: str, count: int, watches: int = 1) -> None:
    """Open watches, and take what each tells of the events that stand."""
    params = ({"watch": f"w{place}", "runName": run} for place in range(watches))
    for request in encode("events.watch", params):
        server.send(request)
        for _ in range(count):
            assert _decode(server.receive())["method"] == "events.changed"
        assert _decode(server.receive())["method"] == "events.synced"


def _is_resolved(told: bytes, name: str | None = None) -> None:
    params: dict[str, Any] = _decode(told)["params"]
    assert params["change"] == "resolved"
    assert name in (None, params["event"]["name"])


_decode = msgspec.json.decode
