"""`python -m benchmarks`: run the benchmarks and print their figures."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import peers, run_size, sidecar_only
from benchmarks.client_overhead import clients
from benchmarks.comparison import compare
from benchmarks.editing import editing
from benchmarks.editor import editor
from benchmarks.flyte import flyte
from benchmarks.startup import pending, startup
from benchmarks.watches import watches

BENCHMARKS: dict[str, Callable[[Path, run_size.RunSize], str]] = {
    "compare": compare,
    "startup": startup,
    "pending": pending,
    "listing": sidecar_only.listing,
    "memory": sidecar_only.memory,
    "waits": sidecar_only.waits,
    "idle": sidecar_only.idle,
    "signals": sidecar_only.signals,
    "watches": watches,
    "flyte": flyte,
    "clients": clients,
    "editing": editing,
    "editor": editor,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run fewer and shorter rounds")
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        choices=BENCHMARKS,
        help=f"run only this benchmark (may be repeated): {', '.join(BENCHMARKS)}",
    )
    parser.add_argument(
        "--dir",
        metavar="PATH",
        help="folder for the stores (default: the folder for temporary files)",
    )
    options = parser.parse_args()
    chosen = run_size.QUICK if options.quick else run_size.FULL
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = [f"{os.cpu_count()} CPUs", f"load {os.getloadavg()[0]:.1f}", platform.machine()]
    facts = [date.today().isoformat(), *machine, platform.system(), python, *peers.versions()]
    print(", ".join(facts), flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=options.dir) as folder:
        # Servers start from bytecode, as installed packages do, and with Python's defaults.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ.pop("PYTHONUNBUFFERED", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "compiled")
        for name in options.only or BENCHMARKS:
            print(f"\n{BENCHMARKS[name](Path(folder).resolve(), chosen)}", flush=True)


if __name__ == "__main__":
    main()
