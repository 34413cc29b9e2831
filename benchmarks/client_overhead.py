"""The overhead of each client library compared with raw reads and writes on the pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks import peers
from benchmarks.client import ROOT
from benchmarks.report import number, table
from benchmarks.run_size import RunSize

CLIENTS = ROOT / "clients"

Measured = dict[str, dict[str, float]]
"""`raw` and `client`: each `p50` and `p99` in ms, and `perSecond`."""


def clients(folder: Path, size: RunSize) -> str:
    """Measure `events.get` of one event with every client in every round, and return the medians.

    Each program measures the raw pipe and the client, with one sidecar process each.
    """
    programs, notes = {}, []
    for name, make in (("Node", _node), ("Go", _go), ("Python", _python)):
        try:
            programs[name] = make(folder)
        except peers.NotInstalled as missing:
            notes.append(f"NOTE: {missing}")
    rounds: dict[str, list[Measured]] = {name: [] for name in programs}
    for _ in range(size.rounds):
        for name, command in programs.items():
            with tempfile.TemporaryDirectory(dir=folder) as stores:
                store = str(Path(stores) / "events.db")
                rounds[name].append(_run([*command, store, str(size.round_trips)]))
    head = f"clients compared with the raw pipe; medians of {size.rounds} interleaved rounds"
    return "\n\n".join([head, *notes, _side_by_side(rounds)])


def _side_by_side(rounds: dict[str, list[Measured]]) -> str:
    rows = [["events.get of one event", *rounds]]
    for label, key in (
        ("round trip p50, ms", "p50"),
        ("round trip p99, ms", "p99"),
        ("pipelined, requests/s", "perSecond"),
    ):
        for way in ("raw", "client"):
            cells = (median(one[way][key] for one in measured) for measured in rounds.values())
            rows.append([f"{label}, {way}", *map(number, cells)])
        ratios = (
            median(one["client"][key] / one["raw"][key] for one in measured)
            for measured in rounds.values()
        )
        rows.append(["  client / raw", *map(number, ratios)])
    return table(rows)


def _run(command: Sequence[str]) -> Measured:
    scripts = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=env, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    measured: Measured = json.loads(done.stdout)
    return measured


def _node(_: Path) -> list[str]:
    node, folder = shutil.which("node"), CLIENTS / "typescript"
    if node is None:
        raise peers.NotInstalled("Node.js is not installed: the Node client is skipped")
    if not (folder / "dist").is_dir():
        raise peers.NotInstalled("clients/typescript is not built (run npm ci there): skipped")
    return [node, str(folder / "bench" / "overhead.mjs")]


def _go(folder: Path) -> list[str]:
    go = shutil.which("go")
    if go is None:
        raise peers.NotInstalled("Go is not installed: the Go client is skipped")
    program = folder / "overhead"
    build = [go, "build", "-o", str(program), "./bench"]
    subprocess.run(build, cwd=CLIENTS / "go", check=True)
    return [str(program)]


def _python(_: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.python_client"]
