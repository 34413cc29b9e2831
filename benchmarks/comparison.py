"""`events.get` on the sidecar and its peers, in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import peers
from benchmarks.client import SETTLE, Framing, Header, Line, Server, results
from benchmarks.peers import Peer
from benchmarks.report import Figure, figures, number, percentile, table
from benchmarks.run_size import RunSize
from benchmarks.store import EVENTS, fill, gets, named, serve

FIRST = "first response after spawn, ms"
P50 = "round trip p50, ms"
P99 = "round trip p99, ms"
RATE = "pipelined, requests/s"
REST = "RSS at rest, MB"
LOADED = "RSS after load, MB"

Measurement = dict[str, float]
"""The figures above of one process."""


@dataclass(frozen=True)
class Column:
    """A peer and its measurements, one per round."""

    peer: Peer
    measurements: list[Measurement] = field(default_factory=list)

    def rounds(self, figure: str) -> list[float]:
        """Return a figure of every round."""
        return [visit[figure] for visit in self.measurements]

    def over(self, other: Column, figure: str) -> list[float]:
        """Return the ratio of every round, which cancels out changes in the machine's speed."""
        pairs = zip(self.rounds(figure), other.rounds(figure), strict=True)
        return [own / theirs for own, theirs in pairs]


Group = dict[str, Column]
"""The columns of one framing by name, the sidecar's first."""


def compare(folder: Path, size: RunSize) -> str:
    """Measure `events.get` by name on every peer in every round, and return the medians."""
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
        measure(column.peer, 0.01, 1)  # so that all programs are compiled and cached
    for _ in range(size.rounds):
        for column in columns:
            column.measurements.append(measure(column.peer, size.load, size.round_trips))
    parts = [
        f"events.get by name, {EVENTS:,} events; medians of {size.rounds} interleaved rounds",
        *notes,
        _side_by_side(lines),
        _side_by_side(headers),
        figures("against the peers", _goals(lines, headers)),
    ]
    return "\n\n".join(parts)


def measure(peer: Peer, load: float, round_trips: int) -> Measurement:
    """Spawn a peer and measure it until it has ended.

    Parameters
    ----------
    load
        Fraction of the peer's pipelined requests that is sent.
    round_trips
        Number of requests that are sent one at a time.
    """
    [first] = gets(1)
    singles, many = gets(round_trips), gets(int(peer.load * load))
    start = time.perf_counter()
    with Server(peer.command, peer.framing) as server:
        server.send(first)
        response = server.receive()
        first_reply = time.perf_counter() - start
        results([response])
        time.sleep(SETTLE)
        at_rest = server.rss
        times, responses = server.one_at_a_time(singles)
        results(responses)
        seconds, responses = server.pipelined(many)
        loaded = server.rss
        results(responses)
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
    makers: Sequence[Callable[[], Peer]],
    notes: list[str],
) -> Group:
    """Return the sidecar and its installed peers, and add a note for each of the others."""
    group = {"sidecar": Column(peers.sidecar(store, framing))}
    for make in makers:
        try:
            peer = make()
        except peers.NotInstalled as missing:
            notes.append(f"NOTE: {missing}")
        else:
            group[peer.name] = Column(peer)
    return group


def _side_by_side(group: Group) -> str:
    own, *others = group.values()
    rows = [[f"{own.peer.framing.name} framing", *group]]
    for figure in own.measurements[0]:
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
            Figure("first response, times faster than pygls", pygls.over(own, FIRST), "at least 4"),
        ]
    if vscode := headers.get("vscode-jsonrpc"):
        rate = own.over(vscode, RATE)
        found.append(Figure("pipelined, times vscode-jsonrpc", rate, "above 1"))
    return found
