"""The prompt and the description of an event as lines for a terminal.

They are other people's text. Nothing in them moves the cursor, adds a line that seems to be of this
program, or hides other text: unsafe characters are escaped, also those that entities and URLs of
markdown contain, links show their targets, and HTML is shown as text. Long texts are cut.

`rich` is imported with the first call.
"""

from __future__ import annotations

import io
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from flyte_sidecar.cli import terminal
from flyte_sidecar.events.model import Event, PromptType
from flyte_sidecar.events.plain_text import escape_unsafe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.segment import Segment

MAX_LENGTH = 8192
"""Characters that are shown of a text. A deployment limits prompts to 4096."""

MAX_LINES = 200
"""Lines that are shown of a text."""

MIN_COLUMNS = 10
"""Columns of the narrowest terminal for which lines are wrapped."""

TAB_COLUMNS = 4


def prompt_lines(event: Event, columns: int, *, styled: bool) -> list[str]:
    """Return the prompt of an event, and its description after an empty line.

    A line contains only safe characters, and control sequences for colours if it is `styled`.
    """
    lines = text_lines(event.prompt or "", event.prompt_type, columns, styled=styled)
    if event.description:
        lines += [""] if lines else []
        lines += text_lines(event.description, "text", columns, styled=styled, style="dim")
    return lines


def text_lines(
    text: str, text_type: PromptType | None, columns: int, *, styled: bool, style: str = ""
) -> list[str]:
    """Return a text as lines of at most `columns` columns, in a style of rich."""
    if not text.strip():
        return []
    console = _console(max(columns, MIN_COLUMNS), styled)
    shown, omitted = text[:MAX_LENGTH].expandtabs(TAB_COLUMNS), len(text) - MAX_LENGTH
    lines = _markdown(console, shown) if text_type == "markdown" else None
    if lines is None:
        lines = _plain(console, terminal.encodable(shown), style)
    if len(lines) > MAX_LINES:
        return [*_written(console, lines[:MAX_LINES]), f"… ({len(lines) - MAX_LINES} more lines)"]
    written = _written(console, lines)
    return written if omitted <= 0 else [*written, f"… ({omitted} more characters)"]


def _console(columns: int, styled: bool) -> Console:
    from rich.console import Console

    return Console(
        file=io.StringIO(),
        width=columns,
        color_system="standard" if styled else None,
        force_terminal=True,
        legacy_windows=False,
    )


def _plain(console: Console, text: str, style: str) -> list[list[Segment]]:
    from rich.text import Text

    safe = "\n".join(map(escape_unsafe, text.splitlines()))
    return console.render_lines(Text(safe, style), pad=False)


def _markdown(console: Console, text: str) -> list[list[Segment]] | None:
    """Return rendered markdown; None if something in it would not be seen."""
    from flyte_sidecar.cli.markdown import THEME, Markdown

    markdown = Markdown(text)
    if not markdown.fits(console.width):
        return None
    with console.use_theme(THEME):
        lines = console.render_lines(markdown, pad=False)
    while lines and _is_blank(lines[-1]):
        lines.pop()
    while lines and _is_blank(lines[0]):
        lines.pop(0)
    shown = Counter(chain.from_iterable(segment.text for line in lines for segment in line))
    missing = Counter(markdown.content) - shown
    if not all(map(str.isspace, missing)):
        return None  # a table may be too wide
    characters = "".join(shown)
    return lines if lines and terminal.encodable(characters) == characters else None


def _is_blank(line: list[Segment]) -> bool:
    return not any(segment.text.strip() for segment in line)


def _written(console: Console, lines: list[list[Segment]]) -> list[str]:
    from rich.segment import SegmentLines

    with console.capture() as capture:
        console.print(SegmentLines(lines, new_lines=True), end="")
    return [line.rstrip() for line in capture.get().splitlines()]
