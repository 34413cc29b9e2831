"""CHANGELOG.md, in the form of Keep a Changelog."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from release.supported import ROOT

REPOSITORY = "https://github.com/flyte-sidecar/flyte-sidecar"
UNRELEASED = "Unreleased"
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")

_SECTION = re.compile(r"^## \[([^]\n]+)\](?: - ([^\n]+))?\n(.*?)(?=^## |^\[|\Z)", re.M | re.S)
_LINK = re.compile(r"^\[(.+?)\]: (.+)$", re.M)


def read() -> str:
    """Return the changelog of this repository."""
    return (ROOT / "CHANGELOG.md").read_text("utf-8")


def notes(text: str, version: str) -> str:
    """Return the text of a version's section.

    Raises `KeyError` if there is no such section.
    """
    bodies: dict[str, str] = {name: body for name, _, body in _SECTION.findall(text)}
    return bodies[version].strip() + "\n"


def problems(text: str, version: str | None = None) -> Iterator[str]:
    """Yield what is wrong with a changelog, for a release of this version if there is one."""
    sections = [(name, day) for name, day, _ in _SECTION.findall(text)]
    names = [name for name, _ in sections]
    if names[:1] != [UNRELEASED]:
        yield f"the first section is not ## [{UNRELEASED}]"
    for name, day in sections:
        if name != UNRELEASED and not _is_date(day):
            yield f"the heading of {name} is not ## [{name}] - YYYY-MM-DD"
        for kind in re.findall(r"^### (.+)$", notes(text, name), re.M):
            if kind not in KINDS:
                yield f"{name} has a section {kind!r}, which is none of {', '.join(KINDS)}"
    links, expected = dict(_LINK.findall(text)), links_of(names)
    for name in dict.fromkeys([*expected, *links]):
        if links.get(name) != expected.get(name):
            yield f"the link of {name} is {links.get(name)}, but expected is {expected.get(name)}"
    if version is not None:
        if names[1:2] != [version]:
            yield f"the section after {UNRELEASED} is not that of {version}"
        elif notes(text, UNRELEASED).strip():
            yield f"{UNRELEASED} is not empty: its entries belong to {version}"
        elif not notes(text, version).strip():
            yield f"the section of {version} is empty"


def links_of(names: list[str]) -> dict[str, str]:
    """Return the links that compare each version with the one before it, the newest first."""
    tags = ["HEAD" if name == UNRELEASED else f"v{name}" for name in names]
    links = {
        name: f"{REPOSITORY}/compare/{before}...{tag}"
        for name, tag, before in zip(names, tags, tags[1:], strict=False)
    }
    if names:
        first = "commits/main" if names[-1] == UNRELEASED else f"releases/tag/{tags[-1]}"
        links[names[-1]] = f"{REPOSITORY}/{first}"
    return links


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
