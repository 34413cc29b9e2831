"""What a client library costs over the pipe that it speaks on, in each language."""

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
from benchmarks.effort import Effort
from benchmarks.report import number, table

CLIENTS = ROOT / "clients"

Measured = dict[str, dict[str, float]]
"""`raw` and `client`: each `p50` and `p99` in ms, and `perSecond`."""


def clients(folder: Path, effort: Effort) -> str:
    """Measure `events.get` of one event, in every language in every round, and tell the medians.

    Each program measures both ways, a sidecar process each, one after the other.
    """
    programs, notes = {}, []
    for name, make in (("Node", _node), ("Go", _go), ("Python", _python)):
        try:
            programs[name] = make(folder)
        except peers.Missing as missing:
            notes.append(f"NOTE: {missing}")
    rounds: dict[str, list[Measured]] = {name: [] for name in programs}
    for _ in range(effort.rounds):
        for name, command in programs.items():
            with tempfile.TemporaryDirectory(dir=folder) as place:
                store = str(Path(place) / "events.db")
                rounds[name].append(_run([*command, store, str(effort.round_trips)]))
    head = f"clients over the bare pipe; medians of {effort.rounds} interleaved rounds"
    return "\n\n".join([head, *notes, _side_by_side(rounds)])


def _side_by_side(rounds: dict[str, list[Measured]]) -> str:
    rows = [["events.get of one event", *rounds]]
    for label, key in (
        ("round trip p50, ms", "p50"),
        ("round trip p99, ms", "p99"),
        ("all at once, requests/s", "perSecond"),
    ):
        for way in ("raw", "client"):
            cells = (median(one[way][key] for one in told) for told in rounds.values())
            rows.append([f"{label}, {way}", *map(number, cells)])
        ratios = (
            median(one["client"][key] / one["raw"][key] for one in told) for told in rounds.values()
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
        raise peers.Missing("Node.js is not installed: its client is left out")
    if not (folder / "dist").is_dir():
        raise peers.Missing("the TypeScript client is not built (npm ci there): it is left out")
    return [node, str(folder / "bench" / "overhead.mjs")]


def _go(folder: Path) -> list[str]:
    go = shutil.which("go")
    if go is None:
        raise peers.Missing("Go is not installed: its client is left out")
    program = folder / "overhead"
    build = [go, "build", "-o", str(program), "./bench"]
    subprocess.run(build, cwd=CLIENTS / "go", check=True)
    return [str(program)]


def _python(_: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.python_client"]
