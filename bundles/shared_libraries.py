"""The shared libraries that a Python for Linux needs from the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

_GLIBC = re.compile(r"(lib(c|dl|m|pthread|resolv|rt|util)|ld-linux-.*|linux-vdso)\.so(\.\d+)?")
"""The names of the libraries that every machine with glibc has."""

_DEPENDENCY = re.compile(r"\s+(?P<name>\S+) => (?P<path>.+?)(?: \(0x[0-9a-f]+\))?")
"""A line of `ldd`."""


class NotRelocatableError(Exception):
    """A Python needs libraries of the machine on which it was built."""


def foreign_libraries(folder: Path) -> Mapping[str, Path]:
    """Return the libraries outside a folder that its files need, by name.

    Raises
    ------
    NotRelocatableError
        If one does not exist.
    """
    found = {}
    for file in _elf_files(folder):
        done = subprocess.run(["ldd", file], stdout=subprocess.PIPE, check=True, text=True)
        for line in done.stdout.splitlines():
            match = _DEPENDENCY.fullmatch(line)
            if match is None or _GLIBC.fullmatch(match["name"]):
                continue
            path = Path(match["path"])
            if not path.is_absolute():
                raise NotRelocatableError(f"{file} needs {match['name']}, which does not exist")
            if not path.is_relative_to(folder):
                found[match["name"]] = path
    return found


def check_relocatable(folder: Path) -> None:
    """Check that the files in a folder need no libraries outside it, except those of glibc.

    Raises
    ------
    NotRelocatableError
        If they do.
    """
    if foreign := foreign_libraries(folder):
        raise NotRelocatableError(
            f"this Python needs libraries of this machine: {', '.join(sorted(foreign))}."
            " Select a relocatable Python with --python, for example one that uv has installed."
            " For a bundle that is not published, pass --copy-libraries"
        )


def copy_libraries(folder: Path) -> None:
    """Copy the libraries outside a folder that its files need into its `lib`, by `patchelf`.

    The libraries have licenses of their own, and may need a newer glibc than other machines have.
    """
    patchelf = Path(sysconfig.get_path("scripts"), "patchelf")
    foreign = foreign_libraries(folder)
    for name, path in foreign.items():
        shutil.copy2(path, folder / "lib" / name)
    for file in _elf_files(folder) if foreign else ():
        libraries = os.path.relpath(folder / "lib", file.parent)
        subprocess.run([patchelf, "--set-rpath", f"$ORIGIN/{libraries}", file], check=True)


def _elf_files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path
