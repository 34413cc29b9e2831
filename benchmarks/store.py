"""Sidecars on embedded stores, and requests for their events."""

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
"""Number of events in the run that is read."""

RUN = "benchmark"


def serve(store: Path, framing: type[Framing] = Line) -> Server:
    """Start a sidecar on the store."""
    return Server(sidecar(store, framing).command, framing)


def named(place: int, run: str = RUN) -> dict[str, str]:
    """Return params that name one event; all have the same length."""
    return {"runName": run, "name": f"event-{place:06}"}


def fill(server: Server, count: int, run: str = RUN) -> float:
    """Create events, and return the seconds that it took."""
    seconds, responses = server.pipelined(
        encode("events.create", (named(place, run) for place in range(count)))
    )
    results(responses)
    return seconds


def gets(count: int) -> list[bytes]:
    """Encode requests for single events, spread over the `EVENTS` of the run."""
    places = (place * 7919 % EVENTS for place in range(count))
    return encode("events.get", (named(place) for place in places))


def answer(place: int, run: str = RUN) -> Mapping[str, object]:
    """Return the params that signal an event."""
    return {**named(place, run), "payload": True}


def signalled(signaller: Server, place: int, listener: Server) -> tuple[float, bytes]:
    """Signal in one process, and return the seconds until the next message of another, and it."""
    [signal] = encode("events.signal", [answer(place)])
    # Long enough for a wait to start, and never in step with the listener's poll interval.
    time.sleep(random.uniform(0.05, 0.1))
    start = time.perf_counter()
    signaller.send(signal)
    message = listener.receive()
    seconds = time.perf_counter() - start
    results([signaller.receive()])
    return seconds, message


def disk(folder: Path) -> str:
    """Return the file system and the time of a synced write, the lower bound of a commit."""
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
