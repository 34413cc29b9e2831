"""The Flyte backend beside the bare calls that it makes, on the fake of Flyte's RunService."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil

from benchmarks.bare import CONCURRENT, SCANNED, Bare
from benchmarks.client import ROOT, Line, Server, encode, results
from benchmarks.deployment import (
    DOMAIN,
    MANY,
    PROJECT,
    SOME,
    CountedBackend,
    connected,
    deployment,
    event,
    name,
    run,
)
from benchmarks.effort import Effort
from benchmarks.report import Figure, figures
from flyte_sidecar._futures import MaybeAwaitable, resolve
from flyte_sidecar.backends.flyte import FlyteBackend
from flyte_sidecar.events.model import Event, Query, Target

CURRENT, FIRST = "2.0.43", "2.0.28"
"""Releases of Flyte's backend: a current one, and the first that takes signals."""

GETS = 100
"""Events that are asked for in a round, one after the other."""

Times = dict[str, list[float]]
"""What was measured in every round: seconds, or numbers of calls."""


def flyte(folder: Path, effort: Effort) -> str:
    """Measure a current release, and listings with details on the first that takes signals."""
    return asyncio.run(_measure(folder, effort))  # gRPC wants one loop for all


async def _measure(folder: Path, effort: Effort) -> str:
    times: Times = {}
    with deployment(folder / "current.json", CURRENT) as endpoint:
        await _in_process(endpoint, CURRENT, effort.rounds, times)
        _in_processes(endpoint, effort.rounds, times)
    parts = [_gets_told(times), _page_told(times), _details_told(times, CURRENT)]
    parts.append(_process_told(times))
    times = {}
    with deployment(folder / "first.json", FIRST) as endpoint:
        await _in_process(endpoint, FIRST, effort.rounds, times)
    return "\n\n".join([*parts, _details_told(times, FIRST)])


async def _in_process(endpoint: str, release: str, rounds: int, times: Times) -> None:
    """Measure the backend and the bare calls in turn."""

    async def timed(figure: str, work: Callable[[], Awaitable[Any]]) -> Any:
        start = time.perf_counter()
        result = await work()
        times.setdefault(figure, []).append(time.perf_counter() - start)
        return result

    bare = Bare(endpoint, PROJECT, DOMAIN, by_type=release == CURRENT)
    for each in range(rounds + 1):
        if each == 1:
            times.clear()  # the first round warms up
        wanted = [event((each * 7919 + place * 97) % MANY) for place in range(GETS)]
        async with connected(endpoint) as backend:
            await timed("get", partial(_gets, backend, wanted))
            _count(times, "get", backend, GETS)
        await timed("bare get", partial(bare.gets, name(MANY), wanted))
        await timed("scan", partial(bare.scan, name(MANY)))
        async with connected(endpoint) as backend:
            await timed("list", partial(_page, backend))
            _count(times, "list", backend)
            await timed("list again", partial(_page, backend))
        await timed("bare list", partial(bare.listing, name(SOME), SOME))
        async with connected(endpoint) as backend:
            await timed("details", partial(_page, backend, details=True))
            _count(times, "details", backend)
        ids = await bare.ids(name(SOME))
        await timed("bare details", partial(bare.details, name(SOME), ids))
        for count in (SOME, MANY):
            ids = await bare.ids(name(count))
            await timed(f"snapshot {count}", partial(bare.snapshot, name(count), ids))
    await bare.close()


def _count(times: Times, figure: str, backend: CountedBackend, requests: int = 1) -> None:
    times.setdefault(f"{figure} calls", []).append(backend.calls.total() / requests)


async def _gets(backend: FlyteBackend, names: list[str]) -> None:
    for each in names:
        found = await backend.find(Target(run(MANY), name=each))
        assert found is not None


async def _page(backend: FlyteBackend, details: bool = False) -> None:
    query = Query(run=run(SOME), limit=SOME, details=details, max_bytes=1 << 30)
    page = await backend.page(query)
    assert [one.name for one in page.events] == [event(place) for place in range(SOME)]


def _in_processes(endpoint: str, rounds: int, times: Times) -> None:
    """Measure what needs a fresh process each time."""
    for each in range(rounds + 1):
        measured = _one_each(endpoint)
        if each:  # the first round warms up
            for figure, value in measured.items():
                times.setdefault(figure, []).append(value)


def _one_each(endpoint: str) -> dict[str, float]:
    words = ("--endpoint", endpoint, "--insecure", "--project", PROJECT, "--domain", DOMAIN)
    command = (sys.executable, "-m", "flyte_sidecar", "--backend", "flyte", *words)
    measured: dict[str, float] = {}
    asked = {"runName": name(MANY), "name": event(0)}
    for method, params in (("initialize", {}), ("events.get", asked)):
        [request] = encode(method, [params])
        start = time.perf_counter()
        with Server(command, Line) as server:
            server.send(request)
            reply = server.receive()
            measured[f"first {method}"] = time.perf_counter() - start
            results([reply])
            measured["RSS"] = server.rss
    start = time.perf_counter()
    bare = (sys.executable, "-m", "benchmarks.bare", endpoint, PROJECT, DOMAIN, name(MANY))
    subprocess.run([*bare, event(0)], cwd=ROOT, check=True)
    measured["first bare get"] = time.perf_counter() - start
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        measured["at once"], measured["added"] = pool.submit(at_once, endpoint).result()
    return measured


def at_once(endpoint: str) -> tuple[float, float]:
    """Get 1,000 events at once, in this process; gives the seconds, and the MB that it added."""

    async def gather() -> tuple[float, float]:
        async with connected(endpoint) as backend:
            await _gets(backend, [event(0)])
            before = psutil.Process().memory_info().rss
            start = time.perf_counter()
            targets = (Target(run(MANY), name=event(place)) for place in range(SOME))
            soon: list[MaybeAwaitable[Event | None]] = [backend.find(target) for target in targets]
            found = await asyncio.gather(*map(resolve, soon))  # raises the first error
            seconds = time.perf_counter() - start
            added = psutil.Process().memory_info().rss - before
        assert [one and one.name for one in found] == [event(place) for place in range(SOME)]
        return seconds, added / 1e6

    return asyncio.run(gather())


def _gets_told(times: Times) -> str:
    calls = math.ceil((MANY + 1) / SCANNED)
    return figures(
        f"Flyte {CURRENT}: events.get by name, {MANY:,} events",
        [
            _ms("one after the other, ms", times["get"], GETS),
            _ms("bare ListActions and GetActionDetails, ms", times["bare get"], GETS),
            Figure("times the bare calls", _over(times["get"], times["bare get"])),
            Figure("calls each", times["get calls"]),
            _ms(f"pages of {SCANNED} without names, {calls} calls, ms", times["scan"]),
            _ms(f"{SOME:,} at once, no errors, ms", times["at once"]),
            Figure("RSS that they add, MB", times["added"]),
        ],
    )


def _page_told(times: Times) -> str:
    return figures(
        f"Flyte {CURRENT}: events.list, {SOME:,} events on a page",
        [
            _ms("first time, ms", times["list"]),
            _ms("bare pages and snapshot, ms", times["bare list"]),
            Figure("times the bare calls", _over(times["list"], times["bare list"]), "at most 2"),
            Figure("calls", times["list calls"]),
            _ms("again, ms", times["list again"]),
        ],
    )


def _details_told(times: Times, release: str) -> str:
    each = [seconds / SOME for seconds in times["bare details"]]
    return figures(
        f"Flyte {release}: events.list with details, {SOME:,} events",
        [
            _ms("first time, ms", times["details"]),
            _ms(f"bare GetActionDetails, {CONCURRENT} at once, ms", times["bare details"]),
            Figure("times the bare calls", _over(times["details"], times["bare details"])),
            Figure("calls", times["details calls"]),
            Figure("calls without details", times["list calls"]),
            *(
                Figure(
                    f"bare details in the time of a snapshot of {count:,}",
                    _over(times[f"snapshot {count}"], each),
                )
                for count in (SOME, MANY)
            ),
        ],
    )


def _process_told(times: Times) -> str:
    return figures(
        f"Flyte {CURRENT}: a process from its spawning",
        [
            _ms("initialize answered, ms", times["first initialize"]),
            _ms("events.get answered, ms", times["first events.get"]),
            _ms("a script of the two bare calls, ended, ms", times["first bare get"]),
            Figure("RSS after events.get, MB", times["RSS"]),
        ],
    )


def _ms(label: str, seconds: list[float], part: int = 1) -> Figure:
    return Figure(label, [each / part * 1e3 for each in seconds])


def _over(own: list[float], other: list[float]) -> list[float]:
    """Give the ratio of every round."""
    return [mine / theirs for mine, theirs in zip(own, other, strict=True)]
