"""The version of the clients, which is the version of the Python package."""

from __future__ import annotations

import json
from pathlib import Path

from clients.generate.text import GENERATED


def files(clients: Path, version: str) -> dict[Path, str]:
    """Return the contents of the files that contain the version, by path."""
    typescript = clients / "typescript"
    package = json.loads((typescript / "package.json").read_text())
    lock = json.loads((typescript / "package-lock.json").read_text())
    for node in (package, lock, lock["packages"][""]):
        node["version"] = version
    return {
        typescript / "package.json": _json(package),
        typescript / "package-lock.json": _json(lock),
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
    }


def _json(document: object) -> str:
    """Return JSON as npm formats it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
