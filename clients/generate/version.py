"""The version of the clients, which is the version of the Python package."""

from __future__ import annotations

import json
from pathlib import Path

from clients.generate.text import GENERATED


def files(clients: Path, version: str) -> dict[Path, str]:
    """Return the contents of the files that contain the version, by path."""
    typescript = clients / "typescript"
    return {
        **_package_files(typescript, version),
        **_package_files(clients / "vscode", version),
        typescript / "src" / "generated" / "version.ts": (
            f"// {GENERATED}\n\n"
            "/** The version of this package. */\n"
            f'export const VERSION = "{version}";\n'
        ),
        clients / "go" / "version_gen.go": (
            f"// {GENERATED}\n\n"
            "package sidecar\n\n"
            "// clientVersion is the version of this package.\n"
            f'const clientVersion = "{version}"\n'
        ),
        clients / "neovim" / "lua" / "flyte_sidecar" / "version.lua": (
            f"-- {GENERATED}\nreturn '{version}'\n"
        ),
    }


def _package_files(folder: Path, version: str) -> dict[Path, str]:
    """Return the contents of the files in which npm expects the version."""
    package = json.loads((folder / "package.json").read_text())
    lock = json.loads((folder / "package-lock.json").read_text())
    for node in (package, lock, lock["packages"][""]):
        node["version"] = version
    return {folder / "package.json": _json(package), folder / "package-lock.json": _json(lock)}


def _json(document: object) -> str:
    """Return JSON as npm formats it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
