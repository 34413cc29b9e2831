"""What the sidecar does by itself: listings, memory, waits, idling, signals."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.client import SETTLE, Server, encode, results
from benchmarks.effort import Effort
from benchmarks.report import Figure, figures, percentile
from benchmarks.store import EVENTS, RUN, answer, disk, fill, named, serve, signalled

PAGE = 1_000
"""The largest page that may be asked for."""


class Page(msgspec.Struct, rename="camel"):
    """A page whose events are counted, not decoded."""

    events: list[msgspec.Raw]
    next_cursor: str | None


def listing(folder: Path, effort: Effort) -> str:
    """Time the listing of a whole run."""
    times = []
    with serve(folder / "listed.db") as server:
        fill(server, EVENTS)
        for _ in range(effort.rounds):
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


def memory(folder: Path, effort: Effort) -> str:
    """Weigh a sidecar before and while it lists a long run that another one made."""
    store, count = folder / "many.db", effort.many_events
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
            Figure("made by pipelined events.create, events/s", [count / creating]),
            Figure("RSS of the sidecar that made them, MB", [created]),
            Figure("whole listing by another sidecar, ms", [seconds * 1e3]),
            Figure("its RSS before, MB", [before]),
            Figure("added at the listing's peak, MB", [peak - before], "at most 10"),
        ],
    )


def waits(folder: Path, effort: Effort) -> str:
    """Time a signal written to one process until another one's wait is answered."""
    store = folder / "waited.db"
    times = []
    with serve(store) as signaller, serve(store) as waiter:
        fill(signaller, effort.waits)
        for place in range(effort.waits):
            [wait] = encode("events.wait", [named(place)])
            waiter.send(wait)
            seconds, waited = signalled(signaller, place, waiter)
            times.append(seconds)
            results([waited])
    return figures(
        f"signal in one process to wait in another, {effort.waits} times",
        [
            Figure("p50, ms", [percentile(times, 50) * 1e3], "below 50"),
            Figure("p99, ms", [percentile(times, 99) * 1e3], "below 50"),
        ],
    )


def idle(folder: Path, effort: Effort) -> str:
    """Watch a sidecar that has nothing to do but one wait."""
    with serve(folder / "idle.db") as server:
        fill(server, 1)
        [wait] = encode("events.wait", [{**named(0), "timeoutSeconds": effort.idle_seconds + 1}])
        server.send(wait)
        load = server.load_at_rest(effort.idle_seconds)
    return figures(
        f"one open wait, idle for {effort.idle_seconds:.0f} s",
        [Figure("processor time, % of a core", [load], "below 1")],
    )


def signals(folder: Path, effort: Effort) -> str:
    """Answer events, each by a durable commit before its reply."""
    many, few = effort.signals, effort.signals // 10
    together, singly = [], []
    with serve(folder / "signalled.db") as server:
        for place in range(effort.rounds):
            run = f"{RUN}-{place}"
            fill(server, many + few, run)
            requests = encode("events.signal", (answer(place, run) for place in range(many)))
            seconds, replies = server.pipelined(requests)
            results(replies)
            together.append(many / seconds)
            places = range(many, many + few)
            times, replies = server.one_at_a_time(
                encode("events.signal", (answer(place, run) for place in places))
            )
            results(replies)
            singly.append(few / sum(times))
    return figures(
        f"events.signal, durable ({disk(folder)})",
        [
            Figure(f"{many:,} pipelined, signals/s", together),
            Figure(f"{few:,} one at a time, signals/s", singly),
        ],
    )


def _pages(server: Server) -> Iterator[int]:
    """List the whole run; give the number of events on each page."""
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
