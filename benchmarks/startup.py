"""From the start of a process to the first output of a verb, compared with a server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.client import ROOT, Line, encode
from benchmarks.deployment import DOMAIN, PROJECT, deployment_with
from benchmarks.flyte import CURRENT
from benchmarks.report import Figure, figures
from benchmarks.run_size import RunSize
from benchmarks.store import RUN, fill, named, serve

EVENTS = 100
"""Number of pending events."""

WAITING_RUNS = 1000
"""Number of runs of a deployment, each with one pending event."""

ROUNDS_PER_SIZE = 3
"""A start is short and varies much, so that it is measured more often than others."""

COMMAND = (sys.executable, "-m", "flyte_sidecar")

Figures = dict[str, list[float]]


def startup(folder: Path, size: RunSize) -> str:
    """Measure the first output of verbs and of a server in every round; return the medians."""
    store = folder / "startup.db"
    rounds = ROUNDS_PER_SIZE * size.rounds
    with serve(store) as server:
        fill(server, EVENTS + rounds)
    [listing] = encode("events.list", [{"runName": RUN}])
    times: Figures = {"serve": [], "pending": [], "signal": []}
    used: Figures = {name: [] for name in times}
    for count in range(rounds):
        event = named(count)
        starts: dict[str, tuple[Sequence[str], bytes]] = {
            "serve": (("serve",), Line.wrap(listing)),
            "pending": (("pending",), b""),
            "signal": (("signal", event["runName"], event["name"], "yes"), b""),
        }
        for name, (verb, request) in starts.items():
            seconds, cpu = first_output((*COMMAND, *verb, "--store", str(store)), request)
            times[name].append(seconds * 1e3)
            used[name].append(cpu * 1e3)
    found = [Figure(f"{name}, ms", values) for name, values in times.items()]
    for title, rows in (("", times), (", CPU time", used)):
        for name in ("pending", "signal"):
            ratios = [own / theirs for own, theirs in zip(rows[name], rows["serve"], strict=True)]
            found.append(Figure(f"{name} / serve{title}", ratios, "at most 1.5"))
    return figures(f"first output after spawn, {EVENTS} pending events", found)


def pending(folder: Path, size: RunSize) -> str:
    """Measure when `pending` prints the first and the last event of many runs of a deployment."""
    first: list[float] = []
    last: list[float] = []
    runs = {f"run-{place:06}": 2 for place in range(WAITING_RUNS)}
    with deployment_with(runs, folder / "inbox.json", CURRENT) as endpoint:
        options = ("--backend", "flyte", "--endpoint", endpoint, "--insecure")
        scope = ("--project", PROJECT, "--domain", DOMAIN)
        for _ in range(size.rounds):
            start = time.perf_counter()
            seconds, _ = first_output((*COMMAND, "pending", *options, *scope), b"")
            first.append(seconds * 1e3)
            last.append((time.perf_counter() - start) * 1e3)
    found = [Figure("first event, ms", first), Figure("end of the process, ms", last)]
    return figures(f"pending on a deployment, {WAITING_RUNS} runs that wait", found)


def first_output(command: Sequence[str], request: bytes) -> tuple[float, float]:
    """Return the seconds from the start of a process to its first output, and its CPU time."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    if request:
        process.stdin.write(request)
    process.stdin.close()
    first = os.read(process.stdout.fileno(), 1)
    seconds = time.perf_counter() - start
    assert first, command
    process.stdout.read()
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return seconds, usage.ru_utime + usage.ru_stime
