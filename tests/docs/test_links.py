"""The links of all Markdown files, as GitHub shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.blocks import pages
from tests.docs.links import anchors_on_github, links_of

SITE = "https://flyte-sidecar.github.io/flyte-sidecar/"
MAIN = "https://github.com/flyte-sidecar/flyte-sidecar/blob/main/"


def target_of(page: Path, link: str) -> tuple[Path, str] | None:
    """Return the file of the repository that a link leads to, and the anchor in it."""
    path, _, anchor = link.partition("#")
    if path.startswith(SITE):
        place = path.removeprefix(SITE).strip("/") or "index"
        source = "schemas/README.md" if place == "reference" else f"docs/{place}.md"
        return ROOT / source, anchor
    if path.startswith(MAIN):
        return ROOT / path.removeprefix(MAIN), anchor
    if "://" in path or path.startswith("mailto:"):
        return None
    return (page.parent / path if path else page), anchor


@pytest.mark.parametrize("page", pages())
def test_the_links_of_a_page_resolve(page: str) -> None:
    for link in links_of((ROOT / page).read_text("utf-8")):
        if target := target_of(ROOT / page, link):
            path, anchor = target
            assert path.exists(), link
            assert path.resolve().is_relative_to(ROOT), link
            assert not anchor or anchor in anchors_on_github(path), link


def test_the_readme_that_npm_shows_has_absolute_links() -> None:
    links = links_of((ROOT / "clients" / "typescript" / "README.md").read_text())
    assert links
    assert all(link.startswith("https://") for link in links)
