"""The pages of the site, from the Markdown files that GitHub renders.

The files need no syntax of the generator. Three things differ on the site:

- Some pages are files outside of docs/, such as CHANGELOG.md.
- A link to a file that is no page leads to the file on GitHub.
- Sections between `<!-- tabs -->` and `<!-- end of tabs -->` are tabs; their headings, `###` or
  deeper and of one level, are the labels.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
REPOSITORY = "https://github.com/flyte-sidecar/flyte-sidecar"

ELSEWHERE = {
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "changelog.md": ROOT / "CHANGELOG.md",
    "reference.md": ROOT / "schemas" / "README.md",
}
"""The pages that are not in docs/, by their path on the site."""

PICTURES = (".png", ".svg")

_LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
_CODE = re.compile(r"^( *)(`{3,}).*?^\1\2`*$|(`+)(?:(?!\3).)+?\3(?!`)", re.M | re.S)
_TABS = re.compile(r"^<!-- tabs -->\n(.*?)^<!-- end of tabs -->\n", re.M | re.S)
_TAB = re.compile(r"^(#{3,}) (.+)\n", re.M)


def sources() -> dict[str, Path]:
    """Return the source of each page, by its path on the site."""
    own = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
    return own | ELSEWHERE


def pictures() -> dict[str, Path]:
    """Return the pictures that pages show, by their path on the site."""
    found = {}
    for source in sources().values():
        for link in links(source.read_text("utf-8")):
            target = _target(source, link)
            if target and target.suffix in PICTURES and target.is_file():
                found[_place_of_picture(target)] = target
    return found


def links(text: str) -> list[str]:
    """Return the targets of the inline links of a Markdown text."""
    found: list[str] = []

    def collect(prose: str) -> str:
        found.extend(_LINK.findall(prose))
        return prose

    _map_prose(text, collect)
    return found


def page(place: str) -> str:
    """Return the Markdown of a page for the site."""
    source = sources()[place]
    text = source.read_text("utf-8")
    text = _map_prose(text, lambda prose: _LINK.sub(lambda m: _site_link(place, m[1]), prose))
    return _TABS.sub(lambda match: _tabs(match[1]), text)


def write(folder: Path) -> None:
    """Write all pages and pictures that have changed into a folder."""
    contents = {place: page(place).encode() for place in sources()}
    contents |= {place: picture.read_bytes() for place, picture in pictures().items()}
    for place, content in contents.items():
        path = folder / place
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _target(source: Path, link: str) -> Path | None:
    """Return the file or folder of the repository that a link leads to, if it is a relative one."""
    path = link.partition("#")[0]
    if not path or "://" in path or path.startswith("mailto:"):
        return None
    return Path(os.path.normpath(source.parent / path))


def _site_link(place: str, link: str) -> str:
    """Return a link of a page as it is on the site."""
    target = _target(sources()[place], link)
    if target is None:
        return link
    anchor = "".join(link.partition("#")[1:])
    places = {path: page for page, path in sources().items()}
    here = PurePosixPath(place).parent
    if target in places:
        return posixpath.relpath(places[target], here) + anchor
    if target.suffix in PICTURES:
        return posixpath.relpath(_place_of_picture(target), here)
    kind = "tree" if target.is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{target.relative_to(ROOT).as_posix()}{anchor}"


def _place_of_picture(picture: Path) -> str:
    if picture.is_relative_to(DOCS):
        return picture.relative_to(DOCS).as_posix()
    return f"pictures/{'-'.join(picture.relative_to(ROOT).parts)}"


def _map_prose(text: str, change: Callable[[str], str]) -> str:
    """Return a text with its parts that are not code changed."""
    changed, end = [], 0
    for code in _CODE.finditer(text):
        changed += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join([*changed, change(text[end:])])


def _tabs(sections: str) -> str:
    """Return sections as tabs of Zensical."""
    parts = _TAB.split(sections)
    tabs = []
    for level, label, content in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        assert level == parts[1], f"the sections of tabs have headings of one level: {label}"
        indented = re.sub(r"^(?=.)", "    ", content.strip("\n"), flags=re.M)
        tabs.append(f'=== "{label}"\n\n{indented}\n')
    return "\n".join(tabs)
