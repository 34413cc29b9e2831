"""Benchmarks without peers: listings, memory, waits, idle load, signals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.client import SETTLE, Server, encode, results
from benchmarks.report import Figure, figures, percentile
from benchmarks.run_size import RunSize
from benchmarks.store import EVENTS, RUN, answer, disk, fill, named, serve, signalled

PAGE = 1_000
"""Maximum page size."""


class Page(msgspec.Struct, rename="camel"):
    """A page whose events are counted but not decoded."""

    events: list[msgspec.Raw]
    next_cursor: str | None


def listing(folder: Path, size: RunSize) -> str:
    """Measure the listing of a whole run."""
    times = []
    with serve(folder / "listed.db") as server:
        fill(server, EVENTS)
        for _ in range(size.rounds):
            start = time.perf_counter()
            found = sum(_pages(server))
            times.append(time.perf_counter() - start)
            assert found == EVENTS
    return figures(
        f"events.list, {EVENTS:,} events by pages of {PAGE:,}",
        [
            Figure("whole listing, ms", [seconds * 1e3 for seconds in times]),
            Figure("events/s", [EVENTS / seconds for seconds in times]),
        ],
    )


def memory(folder: Path, size: RunSize) -> str:
    """Measure the memory of a sidecar that lists a large run, which another sidecar created."""
    store, count = folder / "many.db", size.many_events
    with serve(store) as creator:
        creating = fill(creator, count)
        created = creator.rss
    with serve(store) as lister:
        lister.request("events.get", **named(0))
        time.sleep(SETTLE)
        before = peak = lister.rss
        found = 0
        start = time.perf_counter()
        for events in _pages(lister):
            found += events
            peak = max(peak, lister.rss)
        seconds = time.perf_counter() - start
    assert found == count
    return figures(
        f"one run of {count:,} events",
        [
            Figure("created by pipelined events.create, events/s", [count / creating]),
            Figure("RSS of the sidecar that created them, MB", [created]),
            Figure("whole listing by another sidecar, ms", [seconds * 1e3]),
            Figure("RSS before the listing, MB", [before]),
            Figure("RSS added during the listing, MB", [peak - before], "at most 10"),
        ],
    )


def waits(folder: Path, size: RunSize) -> str:
    """Measure the time from a signal in one process to the response to a wait in another."""
    store = folder / "waited.db"
    times = []
    with serve(store) as signaller, serve(store) as waiter:
        fill(signaller, size.waits)
        for place in range(size.waits):
            [wait] = encode("events.wait", [named(place)])
            waiter.send(wait)
            seconds, waited = signalled(signaller, place, waiter)
            times.append(seconds)
            results([waited])
    return figures(
        f"signal in one process to wait in another, {size.waits} times",
        [
            Figure("p50, ms", [percentile(times, 50) * 1e3], "below 50"),
            Figure("p99, ms", [percentile(times, 99) * 1e3], "below 50"),
        ],
    )


def idle(folder: Path, size: RunSize) -> str:
    """Measure the CPU load of a sidecar with one open wait."""
    with serve(folder / "idle.db") as server:
        fill(server, 1)
        [wait] = encode("events.wait", [{**named(0), "timeoutSeconds": size.idle_seconds + 1}])
        server.send(wait)
        load = server.load_at_rest(size.idle_seconds)
    return figures(
        f"one open wait, idle for {size.idle_seconds:.0f} s",
        [Figure("CPU time, % of a core", [load], "below 1")],
    )


def signals(folder: Path, size: RunSize) -> str:
    """Measure signals, each committed durably before its response."""
    many, few = size.signals, size.signals // 10
    together, singly = [], []
    with serve(folder / "signalled.db") as server:
        for place in range(size.rounds):
            run = f"{RUN}-{place}"
            fill(server, many + few, run)
            requests = encode("events.signal", (answer(place, run) for place in range(many)))
            seconds, responses = server.pipelined(requests)
            results(responses)
            together.append(many / seconds)
            places = range(many, many + few)
            times, responses = server.one_at_a_time(
                encode("events.signal", (answer(place, run) for place in places))
            )
            results(responses)
            singly.append(few / sum(times))
    return figures(
        f"events.signal, durable ({disk(folder)})",
        [
            Figure(f"{many:,} pipelined, signals/s", together),
            Figure(f"{few:,} one at a time, signals/s", singly),
        ],
    )


def _pages(server: Server) -> Iterator[int]:
    """List the whole run, and yield the number of events of each page."""
    cursor = None
    while True:
        params = {"runName": RUN, "limit": PAGE, "cursor": cursor}
        server.send(encode("events.list", [params])[0])
        [result] = results([server.receive()])
        page = _decode(result)
        yield len(page.events)
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


_decode = msgspec.json.Decoder(Page).decode
