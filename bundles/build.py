"""The build of a bundle: a relocatable Python, the dependencies, and the command."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

from bundles import notices
from bundles.entry_point import write_entry_point
from bundles.platforms import Platform, this_platform
from bundles.python_runtime import Python, Runtime, copy_python, describe
from bundles.shared_libraries import check_relocatable, copy_libraries

ROOT = Path(__file__).parent.parent

DEPENDENCIES = ROOT / "requirements" / "bundle.txt"
"""The pinned dependencies of the command, including all extras: nobody could add one later."""

GLIBC = {"x64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
"""The oldest Linux on which the dependencies run, as uv names it: that of Node's own builds."""


@dataclass(frozen=True)
class Sources:
    """What a bundle is made of.

    Attributes
    ----------
    python
        An interpreter of the installation that is copied.
    wheel
        The wheel of flyte-sidecar; None builds it.
    licenses
        A folder with the licenses of the libraries that are linked into this Python, or None.
    copy_libraries
        Whether to copy the machine's libraries that this Python needs, instead of failing.
    """

    python: Path = Path(sys.executable)
    wheel: Path | None = None
    licenses: Path | None = None
    copy_libraries: bool = False


def build(folder: Path, sources: Sources, platform: Platform | None = None) -> None:
    """Build a bundle in a new folder.

    Raises
    ------
    NotRelocatableError
        If the Python needs libraries of this machine.
    MissingLicenseError
        If a dependency states no license.
    OSError, subprocess.CalledProcessError
        If a step fails.
    """
    platform = platform or this_platform()
    python = describe(sources.python)
    runtime = add_environment(folder.absolute(), python, sources, platform)
    add_command(runtime, python, sources, platform)


def add_environment(folder: Path, python: Python, sources: Sources, platform: Platform) -> Runtime:
    """Add a Python and the dependencies of the command to a new folder."""
    runtime = copy_python(python, folder, platform)
    if platform.os == "linux":
        (copy_libraries if sources.copy_libraries else check_relocatable)(folder)
    _install(runtime, platform, "--require-hashes", "--requirement", DEPENDENCIES)
    runtime.compile(runtime.library)
    return runtime


def add_command(runtime: Runtime, python: Python, sources: Sources, platform: Platform) -> None:
    """Add the command to a folder with its environment."""
    with tempfile.TemporaryDirectory() as built:
        wheel = sources.wheel or build_wheel(Path(built))
        _install(runtime, platform, wheel)
    runtime.compile(runtime.site_packages / "flyte_sidecar")
    for path in (runtime.root / platform.command).parent.iterdir():
        if path != runtime.executable:
            path.unlink()  # the scripts of the dependencies, with the path of this build
    write_entry_point(runtime, platform)
    text = notices.notices(runtime, python, sources.licenses)
    (runtime.root / notices.FILE_NAME).write_text(text, encoding="utf-8")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of flyte-sidecar in a folder."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*command, "--directory", folder], cwd=ROOT, stdout=sys.stderr, check=True)
    [wheel] = folder.glob("*.whl")
    return wheel


def _install(runtime: Runtime, platform: Platform, *what: str | Path) -> None:
    """Install distributions, with the uv of this environment."""
    for_glibc = ["--python-platform", GLIBC[platform.cpu]] if platform.os == "linux" else []
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy", *for_glibc]
    command = [find_uv_bin(), "pip", "install", "--python", runtime.executable, *options, *what]
    subprocess.run(command, check=True)
