"""`python -m docs_site`: build the site; with `--serve`, serve it while its pages change."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from docs_site import pages

HERE = Path(__file__).parent
FOLDER = pages.ROOT / "build" / "pages"
MERMAID = HERE / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
CHECK_INTERVAL = 1.0
"""Seconds between two looks for changed pages while the site is served."""


def prepare() -> None:
    """Write what Zensical reads."""
    if not MERMAID.exists():
        npm = shutil.which("npm")
        if npm is None:
            sys.exit("npm is required, for the script that draws diagrams (Node 20 or later)")
        subprocess.run([npm, "ci", "--silent"], cwd=HERE, check=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    pages.write(FOLDER)
    shutil.copytree(HERE / "assets", FOLDER / "assets")
    shutil.copy(MERMAID, FOLDER / "assets" / "mermaid.js")


def zensical(*arguments: str) -> int:
    """Run Zensical, and return its exit status."""
    command = [sys.executable, "-m", "zensical", *arguments]
    return subprocess.run(command, cwd=pages.ROOT, check=False).returncode


def update() -> None:
    """Write pages again when they have changed, until the process ends."""
    while True:
        time.sleep(CHECK_INTERVAL)
        pages.write(FOLDER)


def main() -> int:
    """Build or serve the site, and return the exit status."""
    parser = argparse.ArgumentParser(prog="docs_site", description=__doc__)
    parser.add_argument("--serve", action="store_true")
    serve = parser.parse_args().serve
    prepare()
    if not serve:
        return zensical("build", "--clean", "--strict")
    threading.Thread(target=update, daemon=True).start()
    return zensical("serve")


if __name__ == "__main__":
    sys.exit(main())
