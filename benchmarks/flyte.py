"""The Flyte backend compared with direct calls, on the fake RunService."""

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
from benchmarks.direct_calls import CONCURRENT, SCANNED, DirectCalls
from benchmarks.report import Figure, figures
from benchmarks.run_size import RunSize
from flyte_sidecar._futures import MaybeAwaitable, resolve
from flyte_sidecar.backends.flyte import FlyteBackend
from flyte_sidecar.events.model import Event, Query, Target

CURRENT, FIRST = "2.0.43", "2.0.28"
"""Releases of Flyte's backend: a current one, and the first that supports signals."""

GETS = 100
"""Events that are requested per round, one after the other."""

Times = dict[str, list[float]]
"""The measured values of all rounds: seconds, or numbers of calls."""


def flyte(folder: Path, size: RunSize) -> str:
    """Measure a current release, and listings with details on the first that supports signals."""
    return asyncio.run(_measure(folder, size))  # gRPC requires one loop for all of it


async def _measure(folder: Path, size: RunSize) -> str:
    times: Times = {}
    with deployment(folder / "current.json", CURRENT) as endpoint:
        await _in_process(endpoint, CURRENT, size.rounds, times)
        _in_processes(endpoint, size.rounds, times)
    parts = [_gets_report(times), _page_report(times), _details_report(times, CURRENT)]
    parts.append(_process_report(times))
    times = {}
    with deployment(folder / "first.json", FIRST) as endpoint:
        await _in_process(endpoint, FIRST, size.rounds, times)
    return "\n\n".join([*parts, _details_report(times, FIRST)])


async def _in_process(endpoint: str, release: str, rounds: int, times: Times) -> None:
    """Measure the backend and the direct calls in turn."""

    async def timed(figure: str, work: Callable[[], Awaitable[Any]]) -> Any:
        start = time.perf_counter()
        result = await work()
        times.setdefault(figure, []).append(time.perf_counter() - start)
        return result

    direct = DirectCalls(endpoint, PROJECT, DOMAIN, by_type=release == CURRENT)
    for each in range(rounds + 1):
        if each == 1:
            times.clear()  # the first round warms up
        names = [event((each * 7919 + place * 97) % MANY) for place in range(GETS)]
        async with connected(endpoint) as backend:
            await timed("get", partial(_gets, backend, names))
            _count(times, "get", backend, GETS)
        await timed("direct get", partial(direct.gets, name(MANY), names))
        await timed("scan", partial(direct.scan, name(MANY)))
        async with connected(endpoint) as backend:
            await timed("list", partial(_page, backend))
            _count(times, "list", backend)
            await timed("list again", partial(_page, backend))
        await timed("direct list", partial(direct.listing, name(SOME), SOME))
        async with connected(endpoint) as backend:
            await timed("details", partial(_page, backend, details=True))
            _count(times, "details", backend)
        ids = await direct.ids(name(SOME))
        await timed("direct details", partial(direct.details, name(SOME), ids))
        for count in (SOME, MANY):
            ids = await direct.ids(name(count))
            await timed(f"snapshot {count}", partial(direct.snapshot, name(count), ids))
    await direct.close()


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
    """Measure what requires a new process each time."""
    for each in range(rounds + 1):
        measured = _one_each(endpoint)
        if each:  # the first round warms up
            for figure, value in measured.items():
                times.setdefault(figure, []).append(value)


def _one_each(endpoint: str) -> dict[str, float]:
    arguments = ("--endpoint", endpoint, "--insecure", "--project", PROJECT, "--domain", DOMAIN)
    command = (sys.executable, "-m", "flyte_sidecar", "--backend", "flyte", *arguments)
    measured: dict[str, float] = {}
    target = {"runName": name(MANY), "name": event(0)}
    for method, params in (("initialize", {}), ("events.get", target)):
        [request] = encode(method, [params])
        start = time.perf_counter()
        with Server(command, Line) as server:
            server.send(request)
            response = server.receive()
            measured[f"first {method}"] = time.perf_counter() - start
            results([response])
            measured["RSS"] = server.rss
    start = time.perf_counter()
    direct = (
        sys.executable,
        "-m",
        "benchmarks.direct_calls",
        endpoint,
        PROJECT,
        DOMAIN,
        name(MANY),
    )
    subprocess.run([*direct, event(0)], cwd=ROOT, check=True)
    measured["first direct get"] = time.perf_counter() - start
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        measured["at once"], measured["added"] = pool.submit(at_once, endpoint).result()
    return measured


def at_once(endpoint: str) -> tuple[float, float]:
    """Get 1,000 events at once in this process, and return the seconds and the added MB of RSS."""

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


def _gets_report(times: Times) -> str:
    calls = math.ceil((MANY + 1) / SCANNED)
    return figures(
        f"Flyte {CURRENT}: events.get by name, {MANY:,} events",
        [
            _ms("one after the other, ms", times["get"], GETS),
            _ms("direct ListActions and GetActionDetails, ms", times["direct get"], GETS),
            Figure("ratio to direct calls", _over(times["get"], times["direct get"])),
            Figure("calls each", times["get calls"]),
            _ms(f"pages of {SCANNED} without names, {calls} calls, ms", times["scan"]),
            _ms(f"{SOME:,} at once, no errors, ms", times["at once"]),
            Figure("RSS added by them, MB", times["added"]),
        ],
    )


def _page_report(times: Times) -> str:
    return figures(
        f"Flyte {CURRENT}: events.list, {SOME:,} events on a page",
        [
            _ms("first time, ms", times["list"]),
            _ms("direct pages and snapshot, ms", times["direct list"]),
            Figure(
                "ratio to direct calls", _over(times["list"], times["direct list"]), "at most 2"
            ),
            Figure("calls", times["list calls"]),
            _ms("again, ms", times["list again"]),
        ],
    )


def _details_report(times: Times, release: str) -> str:
    each = [seconds / SOME for seconds in times["direct details"]]
    return figures(
        f"Flyte {release}: events.list with details, {SOME:,} events",
        [
            _ms("first time, ms", times["details"]),
            _ms(f"direct GetActionDetails, {CONCURRENT} at once, ms", times["direct details"]),
            Figure("ratio to direct calls", _over(times["details"], times["direct details"])),
            Figure("calls", times["details calls"]),
            Figure("calls without details", times["list calls"]),
            *(
                Figure(
                    f"direct details in the time of a snapshot of {count:,}",
                    _over(times[f"snapshot {count}"], each),
                )
                for count in (SOME, MANY)
            ),
        ],
    )


def _process_report(times: Times) -> str:
    return figures(
        f"Flyte {CURRENT}: time since the start of a process",
        [
            _ms("response to initialize, ms", times["first initialize"]),
            _ms("response to events.get, ms", times["first events.get"]),
            _ms("end of a script with the two direct calls, ms", times["first direct get"]),
            Figure("RSS after events.get, MB", times["RSS"]),
        ],
    )


def _ms(label: str, seconds: list[float], part: int = 1) -> Figure:
    return Figure(label, [each / part * 1e3 for each in seconds])


def _over(own: list[float], other: list[float]) -> list[float]:
    """Return the ratio of every round."""
    return [mine / theirs for mine, theirs in zip(own, other, strict=True)]
