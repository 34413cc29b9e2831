"""The checks of a release: one version everywhere, and a changelog that describes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from clients.generate import version as clients
from release import changelog
from release.supported import ROOT

VERSION_FILE = ROOT / "sidecar" / "flyte_sidecar" / "_version.py"


def current_version() -> str:
    """Return the version of the package."""
    [version] = re.findall(r'VERSION = "([^"]+)"', VERSION_FILE.read_text("utf-8"))
    return str(version)


def problems(tag: str | None = None) -> Iterator[str]:
    """Yield what prevents a release with this tag; without a tag, what would prevent any."""
    version = current_version()
    for path, content in clients.files(ROOT / "clients", version).items():
        if path.read_text("utf-8") != content:
            yield f"{path.relative_to(ROOT)} is not of version {version}: run `make generate`"
    if tag is not None and tag != f"v{version}":
        yield f"the tag is {tag}, but the version is {version}"
    if tag is not None:
        yield from outdated([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    yield from changelog.problems(changelog.read(), version if tag is not None else None)


def outdated(pages: Iterable[Path]) -> Iterator[str]:
    """Yield the pages that say what holds only until the packages are published."""
    for page in sorted(pages):
        if "before the first release" in " ".join(page.read_text("utf-8").split()).lower():
            yield f"{page.relative_to(ROOT)} describes the time before the first release"
