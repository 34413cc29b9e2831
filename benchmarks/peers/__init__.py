"""The servers that the sidecar is compared with, and what each needs to run."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import Framing, Header, Line

HERE = Path(__file__).parent
VSCODE = HERE / "vscode"


@dataclass(frozen=True)
class Contender:
    """A server that answers `events.get`.

    Attributes
    ----------
    load
        How many requests are pipelined to it: about half a second's worth.
    """

    name: str
    framing: type[Framing]
    command: tuple[str, ...]
    load: int


class Missing(Exception):
    """What a peer needs is not here."""


def sidecar(store: Path, framing: type[Framing]) -> Contender:
    """Give the sidecar on the store, spoken to in the framing."""
    command = (sys.executable, "-m", "flyte_sidecar", "--store", str(store))
    return Contender("sidecar", framing, command, load=50_000)


def floor(event: Path) -> Contender:
    """Give an asyncio protocol with msgspec and nothing else."""
    command = (sys.executable, str(HERE / "floor.py"), str(event))
    return Contender("floor", Line, command, load=50_000)


def pygls(event: Path) -> Contender:
    """Give pygls, or raise `Missing`."""
    if importlib.util.find_spec("pygls") is None:
        raise Missing("pygls is not installed: its column is left out")
    command = (sys.executable, str(HERE / "pygls_server.py"), str(event))
    return Contender("pygls", Header, command, load=1_000)


def vscode(event: Path) -> Contender:
    """Give vscode-jsonrpc, installed on first use, or raise `Missing`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("Node.js with npm is not installed: vscode-jsonrpc is left out")
    if not (VSCODE / "node_modules" / "vscode-jsonrpc").is_dir():
        installed = subprocess.run([npm, "ci"], cwd=VSCODE, capture_output=True, text=True)
        if installed.returncode != 0:
            reason = " ".join(installed.stderr.split())
            raise Missing(f"npm ci failed, vscode-jsonrpc is left out: {reason}")
    command = (node, str(VSCODE / "server.mjs"), str(event))
    return Contender("vscode-jsonrpc", Header, command, load=50_000)


def versions() -> Iterator[str]:
    """Name the peers, and Node.js, that are here, with their versions."""
    if importlib.util.find_spec("pygls") is not None:
        yield f"pygls {importlib.metadata.version('pygls')}"
    if (node := shutil.which("node")) is not None:
        found = subprocess.run([node, "--version"], capture_output=True, text=True)
        yield f"Node.js {found.stdout.strip().removeprefix('v')}"
        package = json.loads((VSCODE / "package.json").read_text())
        yield f"vscode-jsonrpc {package['dependencies']['vscode-jsonrpc']}"
