"""Bundles for tests: the Python and the dependencies are kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

from bundles.build import DEPENDENCIES, Sources, add_command, add_environment
from bundles.platforms import this_platform
from bundles.python_runtime import describe, runtime_in
from tests.conftest import ROOT

PYTHON = describe(Path(sys.executable))
SOURCES = Sources(PYTHON.executable, copy_libraries=True)


def build_bundle(folder: Path) -> None:
    """Build a bundle in a new folder, of the running Python and the command in this repository."""
    cache = user_cache_path("flyte-sidecar")
    cache.mkdir(parents=True, exist_ok=True)
    environment = cache / "bundle-environment"
    with FileLock(f"{environment}.lock"):
        key = environment / ".inputs"
        if not key.exists() or key.read_text() != _inputs():
            shutil.rmtree(environment, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache) as parent:
                complete = Path(parent, environment.name)
                add_environment(complete, PYTHON, SOURCES, this_platform())
                (complete / key.name).write_text(_inputs())
                complete.rename(environment)
        shutil.copytree(environment, folder, copy_function=_link)
    (folder / key.name).unlink()
    add_command(runtime_in(folder, PYTHON, this_platform()), PYTHON, SOURCES, this_platform())


def _inputs() -> str:
    """Return a digest of what the Python and the dependencies in a bundle depend on."""
    digest = hashlib.sha256(f"{PYTHON}{os.path.getmtime(PYTHON.executable)}".encode())
    for path in (DEPENDENCIES, *sorted((ROOT / "bundles").glob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # on another file system
        shutil.copy2(source, target)
