"""The servers with which the sidecar is compared, and how each is started."""

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
class Peer:
    """A server that answers `events.get`.

    Attributes
    ----------
    load
        Number of pipelined requests, which take about half a second.
    """

    name: str
    framing: type[Framing]
    command: tuple[str, ...]
    load: int


class NotInstalled(Exception):
    """A program that a peer needs is not installed."""


def sidecar(store: Path, framing: type[Framing]) -> Peer:
    """Return the sidecar on the store, with this framing."""
    command = (sys.executable, "-m", "flyte_sidecar", "--store", str(store))
    return Peer("sidecar", framing, command, load=50_000)


def floor(event: Path) -> Peer:
    """Return an asyncio protocol with msgspec and nothing else."""
    command = (sys.executable, str(HERE / "floor.py"), str(event))
    return Peer("floor", Line, command, load=50_000)


def pygls(event: Path) -> Peer:
    """Return pygls, or raise `NotInstalled`."""
    if importlib.util.find_spec("pygls") is None:
        raise NotInstalled("pygls is not installed: skipped")
    command = (sys.executable, str(HERE / "pygls_server.py"), str(event))
    return Peer("pygls", Header, command, load=1_000)


def vscode(event: Path) -> Peer:
    """Return vscode-jsonrpc, or raise `NotInstalled`."""
    command = (installed_vscode(), str(VSCODE / "server.mjs"), str(event))
    return Peer("vscode-jsonrpc", Header, command, load=50_000)


def installed_vscode() -> str:
    """Install vscode-jsonrpc if it is not, and return the path of Node, or raise `NotInstalled`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NotInstalled("Node.js with npm is not installed: vscode-jsonrpc is skipped")
    if not (VSCODE / "node_modules" / "vscode-jsonrpc").is_dir():
        installed = subprocess.run([npm, "ci"], cwd=VSCODE, capture_output=True, text=True)
        if installed.returncode != 0:
            reason = " ".join(installed.stderr.split())
            raise NotInstalled(f"npm ci failed, vscode-jsonrpc is skipped: {reason}")
    return node


def versions() -> Iterator[str]:
    """Yield the names and versions of the installed peers and of Node.js."""
    if importlib.util.find_spec("pygls") is not None:
        yield f"pygls {importlib.metadata.version('pygls')}"
    if (node := shutil.which("node")) is not None:
        found = subprocess.run([node, "--version"], capture_output=True, text=True)
        yield f"Node.js {found.stdout.strip().removeprefix('v')}"
        package = json.loads((VSCODE / "package.json").read_text())
        yield f"vscode-jsonrpc {package['dependencies']['vscode-jsonrpc']}"
