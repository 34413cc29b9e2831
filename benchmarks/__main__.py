"""`python -m benchmarks`: measure, and print what was found."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import alone, effort, peers
from benchmarks.comparison import compare
from benchmarks.flyte import flyte
from benchmarks.overhead import clients
from benchmarks.watching import watches

BENCHMARKS: dict[str, Callable[[Path, effort.Effort], str]] = {
    "compare": compare,
    "listing": alone.listing,
    "memory": alone.memory,
    "waits": alone.waits,
    "idle": alone.idle,
    "signals": alone.signals,
    "watches": watches,
    "flyte": flyte,
    "clients": clients,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, for a first look")
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=BENCHMARKS, help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--dir", metavar="PATH", help="where stores are made (the temp folder)")
    options = parser.parse_args()
    chosen = effort.QUICK if options.quick else effort.FULL
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = [f"{os.cpu_count()} CPUs", f"load {os.getloadavg()[0]:.1f}", platform.machine()]
    facts = [date.today().isoformat(), *machine, platform.system(), python, *peers.versions()]
    print(", ".join(facts), flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=options.dir) as folder:
        # Servers start from compiled files, as installed packages do, and with Python's defaults.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ.pop("PYTHONUNBUFFERED", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "compiled")
        for name in options.only or BENCHMARKS:
            print(f"\n{BENCHMARKS[name](Path(folder).resolve(), chosen)}", flush=True)


if __name__ == "__main__":
    main()
