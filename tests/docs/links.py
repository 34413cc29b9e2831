"""The links of Markdown files and HTML pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token


def _tokens(text: str) -> Iterator[Token]:
    for token in MarkdownIt().enable("table").parse(text):
        yield token
        yield from token.children or ()


def links_of(text: str) -> list[str]:
    """Return the targets of the links and pictures of a Markdown text."""
    found = [token.attrs.get("href", token.attrs.get("src")) for token in _tokens(text)]
    return [str(link) for link in found if link]


@cache
def anchors_on_github(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    found: Counter[str] = Counter()
    anchors = set()
    tokens = MarkdownIt().parse(page.read_text("utf-8"))
    for opening, heading in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in heading.children or ())
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            anchors.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
            found[anchor] += 1
    return frozenset(anchors)


class Page(HTMLParser):
    """An HTML page: its links, what it loads, and its anchors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])
