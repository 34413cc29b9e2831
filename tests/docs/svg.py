"""A terminal's screen as an SVG in a window frame, for the documentation."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, monospace;
}}
.{unique_id}-title {{ font: bold 16px system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Unlike rich's own format, it loads no font from a server: readers have a monospace font."""

_THEME = TerminalTheme(
    (30, 32, 38),
    (220, 223, 228),
    [
        *((69, 73, 84), (240, 113, 120), (152, 195, 121), (229, 192, 123)),
        *((97, 175, 239), (198, 120, 221), (86, 182, 194), (220, 223, 228)),
    ],
    [
        *((127, 132, 145), (255, 139, 146), (181, 217, 155), (245, 213, 150)),
        *((130, 195, 255), (218, 150, 238), (116, 208, 219), (255, 255, 255)),
    ],
)
"""Colours on a dark background, which can be read on light and dark pages."""

MIN_COLUMNS = 88
"""The letters of all pictures of this width have the same size."""

_ALWAYS_REPLACED = {
    r"\b20\d\d-\d\d-\d\d \d\d:\d\d": "2026-03-02 14:02",
    r"\b\d\d:\d\d:\d\d\b": "14:02:10",
    r"\bsince \d\d:\d\d\b": "since 14:02",
    r"\be[0-9a-f]{16}\b": "e52a1f9c07d34b86a",
}
"""Times and ids."""

_RICH_NAMES = {"brown": "yellow", "brightbrown": "bright_yellow", "bfightmagenta": "bright_magenta"}
"""The colours that pyte names differently."""


def svg(rows: Sequence[Sequence[Char]], title: str, replaced: Mapping[str, str]) -> str:
    """Return a picture of rows of a screen, up to the last one with a text.

    Parameters
    ----------
    rows
        The cells of each row.
    title
        The title of the window.
    replaced
        Regular expressions for what differs between machines, and what replaces it.
    """
    lines = [_line(row, {**_ALWAYS_REPLACED, **replaced}) for row in rows]
    while lines[-1].plain in ("", "$"):
        lines.pop()
    width = max(MIN_COLUMNS, *(line.cell_len for line in lines))
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True)
    text = Text("\n").join([*lines, Text()])  # an empty row at the end is the margin
    console.print(text, no_wrap=True, overflow="ignore", crop=False)
    name = re.sub(r"\W+", "-", title)
    picture = console.export_svg(title=title, theme=_THEME, code_format=_FORMAT, unique_id=name)
    return re.sub(r"[ \t]+$|\n\s*(?=\n)", "", picture, flags=re.M)


def _line(row: Sequence[Char], replaced: Mapping[str, str]) -> Text:
    cells = [(cell.data, _style(cell)) for cell in row if cell.data]
    while cells and cells[-1] == (" ", Style()):
        cells.pop()
    for pattern, replacement in replaced.items():
        text = "".join(data[0] for data, _ in cells)
        for found in reversed([*re.finditer(pattern, text)]):
            style = cells[found.start()][1]
            cells[slice(*found.span())] = [(letter, style) for letter in replacement]
    line = Text()
    for style, group in groupby(cells, lambda cell: cell[1]):
        line.append("".join(data for data, _ in group), style)
    return line


def _style(cell: Char) -> Style:
    return Style(
        color=_color(cell.fg),
        bgcolor=_color(cell.bg),
        bold=cell.bold or None,
        italic=cell.italics or None,
        underline=cell.underscore or None,
        reverse=cell.reverse or None,
    )


def _color(name: str) -> str | None:
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return _RICH_NAMES.get(name) or re.sub(r"^bright", "bright_", name)
