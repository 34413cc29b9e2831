"""A copy of a Python installation, without what the command does not need."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bundles.platforms import Platform

UNUSED = (
    *("__pycache__", "config-*", "site-packages", "dist-packages", "EXTERNALLY-MANAGED"),
    *("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo"),
    *("_test*", "_ctypes_test*", "_tkinter*", "_xxtestfuzz*", "tcl*.dll", "tk*.dll", "xxlimited*"),
    *("_dbm.*", "_gdbm.*", "readline.*"),  # may contain libraries under the GPL
    "nis.*",  # needs libraries of Kerberos
)
"""Patterns of the names that are left out."""

_DESCRIBE = """
import json, os, sys, sysconfig
base = {"base": sys.base_prefix, "installed_base": sys.base_prefix}
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
    "prefix": sys.base_prefix,
    "library": sysconfig.get_path("stdlib", vars=base),
    "version": "%d.%d" % sys.version_info[:2],
    "release": sys.version,
}))
"""


@dataclass(frozen=True)
class Python:
    """An installation of CPython.

    Attributes
    ----------
    executable
        The interpreter, not that of a virtual environment.
    prefix
        The root of the installation.
    library
        The folder of the standard library.
    version
        For example "3.13".
    release
        The full version and what it was compiled with.
    """

    executable: Path
    prefix: Path
    library: Path
    version: str
    release: str


def describe(interpreter: Path) -> Python:
    """Return the installation of an interpreter.

    Raises
    ------
    OSError, subprocess.CalledProcessError
        If it does not run.
    """
    if not interpreter.is_file():
        hint = "`make relocatable-python` installs one for releases"
        raise FileNotFoundError(f"there is no Python at '{interpreter}': {hint}")
    command = [str(interpreter), "-I", "-c", _DESCRIBE]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    facts = json.loads(done.stdout)
    executable, prefix, library = (Path(facts[key]) for key in ("executable", "prefix", "library"))
    return Python(executable, prefix, library, facts["version"], facts["release"])


@dataclass(frozen=True)
class Runtime:
    """The Python of a bundle.

    Attributes
    ----------
    root
        The folder of the bundle.
    executable
        The interpreter.
    library
        The folder of the standard library.
    """

    root: Path
    executable: Path
    library: Path

    @property
    def site_packages(self) -> Path:
        """The folder of the installed distributions."""
        return self.library / "site-packages"

    def compile(self, folder: Path) -> None:
        """Compile a folder's modules to bytecode that is valid whatever the times of the files.

        Installers change these times, and a Python that cannot write to its folder would compile
        every module at each start.
        """
        mode = ("--invalidation-mode", "unchecked-hash", "--workers", "0")
        # With a relative path, the bytecode does not depend on the folder of the build.
        arguments = [
            "-I",
            "-B",
            "-m",
            "compileall",
            "-qf",
            *mode,
            str(folder.relative_to(self.root)),
        ]
        subprocess.run([self.executable, *arguments], cwd=self.root, check=True)


def runtime_in(folder: Path, python: Python, platform: Platform) -> Runtime:
    """Return where the parts of a Python are, or will be, in the folder of a bundle."""
    if platform.os == "win32":
        return Runtime(folder, folder / "python.exe", folder / "Lib")
    name = f"python{python.version}"
    return Runtime(folder, folder / "bin" / name, folder / "lib" / name)


def copy_python(python: Python, folder: Path, platform: Platform) -> Runtime:
    """Copy an installation to a new folder."""
    runtime = runtime_in(folder, python, platform)
    ignored = shutil.ignore_patterns(*UNUSED)
    shutil.copytree(python.library, runtime.library, ignore=ignored)
    runtime.site_packages.mkdir()
    for path in (python.executable, *_libraries(python, platform)):
        if not ignored(str(path.parent), [path.name]):
            target = folder / path.relative_to(python.prefix)
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(path, target)
    return runtime


def _libraries(python: Python, platform: Platform) -> Sequence[Path]:
    """Return the shared libraries of an installation, outside the standard library.

    On Linux, there are none: those that the interpreter needs are found like those of the machine.
    """
    patterns = {"win32": ("*.dll", "DLLs/*"), "darwin": ("lib/libpython3.*.dylib",)}
    return [
        path for each in patterns.get(platform.os, ()) for path in sorted(python.prefix.glob(each))
    ]
