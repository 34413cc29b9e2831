"""Sidecars on stores of their own, and the events that they are asked for."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import psutil

from benchmarks.client import Framing, Line, Server, encode, results
from benchmarks.peers import sidecar

EVENTS = 10_000
"""Events in the run that is asked for one of them, and listed."""

RUN = "benchmark"


def serve(store: Path, framing: type[Framing] = Line) -> Server:
    """Start a sidecar on the store."""
    return Server(sidecar(store, framing).command, framing)


def named(place: int, run: str = RUN) -> dict[str, str]:
    """Give params that mean one event; all are of one length."""
    return {"runName": run, "name": f"event-{place:06}"}


def fill(server: Server, count: int, run: str = RUN) -> float:
    """Create events through the server; give the seconds that it took."""
    seconds, replies = server.pipelined(
        encode("events.create", (named(place, run) for place in range(count)))
    )
    results(replies)
    return seconds


def gets(count: int) -> list[bytes]:
    """Encode requests for single events, spread over the `EVENTS` of the run."""
    places = (place * 7919 % EVENTS for place in range(count))
    return encode("events.get", (named(place) for place in places))


def answer(place: int, run: str = RUN) -> Mapping[str, object]:
    """Give the params that signal an event."""
    return {**named(place, run), "payload": True}


def signalled(signaller: Server, place: int, listener: Server) -> tuple[float, bytes]:
    """Signal in one process; give the seconds until another one said something, and what."""
    [signal] = encode("events.signal", [answer(place)])
    # Long enough for a wait to stand, and never in step with the listener's looks at the store.
    time.sleep(random.uniform(0.05, 0.1))
    start = time.perf_counter()
    signaller.send(signal)
    told = listener.receive()
    seconds = time.perf_counter() - start
    results([signaller.receive()])
    return seconds, told


def disk(folder: Path) -> str:
    """Tell what a durable commit costs there at the least."""
    mounts = psutil.disk_partitions(all=True)
    holding = [mount for mount in mounts if folder.is_relative_to(mount.mountpoint)]
    kind = max(holding, key=lambda mount: len(mount.mountpoint)).fstype if holding else "unknown"
    times = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(50):
            start = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return f"{kind}, 4 KiB written and synced in {median(times) * 1e3:.2f} ms"
