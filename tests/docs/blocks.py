"""The code blocks of all Markdown pages of the repository, and which test is responsible for each.

A block needs one of these:

- a comment before it with the file, or the region of a file, that it equals, and that a test runs:
  `<!-- from: docs/examples/node/guide.mjs#watch -->`. UPDATE_DOCS=1 copies the file into the block.
- a comment `<!-- WORD: NAME -->` before it, by which a test finds it: "NAME" is in a test.
- a test that gets it from `claim`
- commands and configuration that test_commands.py and test_configuration.py check
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

from tests.conftest import ROOT

SKIPPED_FOLDERS = {"build", "dist", "node_modules"}

_COMMENT = re.compile(r"<!-- (\w+): (.+?) -->")
_REGION = r"^[ \t]*(?://|#|--) region {}\n(.*?)^[ \t]*(?://|#|--) endregion$"


class Block(NamedTuple):
    """A code block of a page."""

    page: str
    line: int
    language: str
    text: str
    headings: tuple[str, ...]
    """The heading of its section, and those of the sections that contain this one."""
    comment: tuple[str, str] | None
    """The two parts of the comment before it."""

    @property
    def source(self) -> tuple[Path, str] | None:
        """The file that the block equals, and the region in it."""
        if self.comment is None or self.comment[0] != "from":
            return None
        path, _, region = self.comment[1].partition("#")
        return ROOT / path, region

    def replace(self, text: str) -> None:
        """Write another text in its place into the page."""
        path = ROOT / self.page
        path.write_text(path.read_text("utf-8").replace(self.text, text), "utf-8")

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.language or 'without a language'}"


def pages() -> list[str]:
    """Return the paths of all Markdown files of the repository."""
    return sorted(
        (Path(folder) / name).relative_to(ROOT).as_posix()
        for folder, name in _files()
        if name.endswith(".md")
    )


def _files() -> Iterator[tuple[str, str]]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [
            name
            for name in folders
            if name == ".github" or not (name in SKIPPED_FOLDERS or name.startswith("."))
        ]
        yield from ((folder, name) for name in names)


@cache
def blocks_of(page: str) -> tuple[Block, ...]:
    """Return the code blocks of a page."""
    tokens = MarkdownIt().parse((ROOT / page).read_text("utf-8"))
    found: list[Block] = []
    headings: dict[int, str] = {}
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.type == "heading_open":
            level = int(token.tag[1:])
            headings = {above: text for above, text in headings.items() if above < level}
        elif token.type == "inline" and before is not None and before.type == "heading_open":
            headings[int(before.tag[1:])] = token.content
        elif token.type in ("fence", "code_block"):
            assert token.map is not None
            comment = None
            if before is not None and before.type == "html_block":
                comments = _COMMENT.findall(before.content)
                comment = comments[-1] if comments else None
            line, language = token.map[0] + 1, token.info.split(" ")[0]
            found.append(Block(page, line, language, token.content, (*headings.values(),), comment))
    return tuple(found)


def all_blocks() -> list[Block]:
    return [block for page in pages() for block in blocks_of(page)]


def named(kind: str, name: str) -> Block:
    """Return the block after the comment `<!-- KIND: NAME -->`."""
    [found] = [block for block in all_blocks() if block.comment == (kind, name)]
    return found


claimed: set[Block] = set()
"""The blocks that tests run, or compare with what they see."""


def claim(
    page: str, language: str, section: str = "", begins: str | tuple[str, ...] = ""
) -> list[Block]:
    """Return blocks of a page for a test, which is then responsible for them.

    It is called when the module of the test is imported, so that test_blocks.py knows of it.
    """
    found = [
        block
        for block in blocks_of(page)
        if block.language == language
        and (not section or section in block.headings)
        and block.text.startswith(begins)
    ]
    assert found, f"{page} has no such blocks: {language} {section}"
    claimed.update(found)
    return found


def region(source: tuple[Path, str]) -> str:
    """Return the text of a file, or of a region of it, as a page shows it.

    A region is between the comments `region NAME` and `endregion`, in any indentation.
    """
    path, name = source
    text = path.read_text("utf-8")
    if name:
        [text] = re.findall(_REGION.format(re.escape(name)), text, re.M | re.S)
    else:
        text = re.sub(r"^.*(//|#|--) (region \w+|endregion)\n", "", text, flags=re.M)
    lines = text.splitlines(keepends=True)
    indents = [line[: -len(line.lstrip())] for line in lines if line.strip()]
    text = "".join(line.removeprefix(min(indents)) if line.strip() else "\n" for line in lines)
    return text.strip("\n") + "\n"
