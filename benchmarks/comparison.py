"""One reply, asked of the sidecar and of its peers in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import peers
from benchmarks.client import SETTLE, Framing, Header, Line, Server, results
from benchmarks.effort import Effort
from benchmarks.peers import Contender
from benchmarks.report import Figure, figures, number, percentile, table
from benchmarks.store import EVENTS, fill, gets, named, serve

FIRST = "first reply after spawn, ms"
P50 = "round trip p50, ms"
P99 = "round trip p99, ms"
RATE = "pipelined, requests/s"
REST = "RSS at rest, MB"
LOADED = "RSS after load, MB"

Visit = dict[str, float]
"""What was measured of one process, by the figures above."""


@dataclass(frozen=True)
class Column:
    """A contender and its visits, one a round."""

    contender: Contender
    visits: list[Visit] = field(default_factory=list)

    def rounds(self, figure: str) -> list[float]:
        """Give a figure of every round."""
        return [visit[figure] for visit in self.visits]

    def over(self, other: Column, figure: str) -> list[float]:
        """Give the ratio of every round: a drift of the machine cancels out."""
        pairs = zip(self.rounds(figure), other.rounds(figure), strict=True)
        return [own / theirs for own, theirs in pairs]


Group = dict[str, Column]
"""Columns of one framing by their names, the sidecar's first."""


def compare(folder: Path, effort: Effort) -> str:
    """Measure `events.get` by name, every contender in every round, and tell the medians."""
    store, event = folder / "compared.db", folder / "event.json"
    with serve(store) as server:
        fill(server, EVENTS)
        event.write_bytes(msgspec.json.encode(server.request("events.get", **named(0))))
    notes: list[str] = []
    lines = _group(store, Line, [lambda: peers.floor(event)], notes)
    headers = _group(
        store, Header, [lambda: peers.pygls(event), lambda: peers.vscode(event)], notes
    )
    columns = [*lines.values(), *headers.values()]
    for column in columns:
        visit(column.contender, 0.01, 1)  # so that all programs are compiled and in memory
    for _ in range(effort.rounds):
        for column in columns:
            column.visits.append(visit(column.contender, effort.load, effort.round_trips))
    parts = [
        f"events.get by name, {EVENTS:,} events; medians of {effort.rounds} interleaved rounds",
        *notes,
        _side_by_side(lines),
        _side_by_side(headers),
        figures("against the peers", _goals(lines, headers)),
    ]
    return "\n\n".join(parts)


def visit(contender: Contender, load: float, round_trips: int) -> Visit:
    """Spawn a contender, measure it and let it end.

    Parameters
    ----------
    load
        The share of the contender's pipelined requests that is sent.
    round_trips
        How many requests are sent one at a time.
    """
    [first] = gets(1)
    singles, many = gets(round_trips), gets(int(contender.load * load))
    start = time.perf_counter()
    with Server(contender.command, contender.framing) as server:
        server.send(first)
        reply = server.receive()
        first_reply = time.perf_counter() - start
        results([reply])
        time.sleep(SETTLE)
        at_rest = server.rss
        times, replies = server.one_at_a_time(singles)
        results(replies)
        seconds, replies = server.pipelined(many)
        loaded = server.rss
        results(replies)
    return {
        FIRST: first_reply * 1e3,
        P50: percentile(times, 50) * 1e3,
        P99: percentile(times, 99) * 1e3,
        RATE: len(many) / seconds,
        REST: at_rest,
        LOADED: loaded,
    }


def _group(
    store: Path,
    framing: type[Framing],
    makers: Sequence[Callable[[], Contender]],
    notes: list[str],
) -> Group:
    """Give the sidecar and those of its peers that are here; note the others."""
    group = {"sidecar": Column(peers.sidecar(store, framing))}
    for make in makers:
        try:
            contender = make()
        except peers.Missing as missing:
            notes.append(f"NOTE: {missing}")
        else:
            group[contender.name] = Column(contender)
    return group


def _side_by_side(group: Group) -> str:
    own, *others = group.values()
    rows = [[f"{own.contender.framing.name} framing", *group]]
    for figure in own.visits[0]:
        rows.append([figure, *(_median(column.rounds(figure)) for column in group.values())])
        rows.append(["  sidecar / peer", "", *(_median(own.over(o, figure)) for o in others)])
    return table(rows)


def _median(values: Sequence[float]) -> str:
    return number(median(values))


def _goals(lines: Group, headers: Group) -> list[Figure]:
    own, floor = lines["sidecar"], lines["floor"]
    found = [
        Figure("pipelined, times floor", own.over(floor, RATE), "at least 0.5"),
        Figure("round trip p50, times floor", own.over(floor, P50), "at most 1.5"),
        Figure("RSS at rest, MB", own.rounds(REST), "at most 30"),
    ]
    own = headers["sidecar"]
    if pygls := headers.get("pygls"):
        found += [
            Figure("pipelined, times pygls", own.over(pygls, RATE), "at least 40"),
            Figure("first reply, times sooner than pygls", pygls.over(own, FIRST), "at least 4"),
        ]
    if vscode := headers.get("vscode-jsonrpc"):
        rate = own.over(vscode, RATE)
        found.append(Figure("pipelined, times vscode-jsonrpc", rate, "above 1"))
    return found
