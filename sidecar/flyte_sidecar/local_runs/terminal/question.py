"""What a question at the terminal has to provide, and the rows that it takes."""

from __future__ import annotations

import re
from typing import Protocol

from msgspec import Struct

from flyte_sidecar.events.model import Payload
from flyte_sidecar.local_runs.terminal.terminal_device import Size

TAB_COLUMNS = 8

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
"""Characters that a terminal echoes as two."""

_IN_CLUSTER = re.compile("\u200d.|[\ufe0f\U0001f3fb-\U0001f3ff]")
"""Characters that do not move the cursor where a terminal shows a cluster as one character."""


class Rendered(Struct, frozen=True):
    """Text for a terminal, which ends where the answer is typed.

    Attributes
    ----------
    text
        The text with control sequences for colours.
    rows
        The number of rows from the first to the last.
    last_columns
        The number of columns used in the last row.
    """

    text: str
    rows: int
    last_columns: int


class Question(Protocol):
    """A question, as a terminal shows it.

    Attributes
    ----------
    takes_lines_typed_ahead
        Whether lines that are typed together answer this question and the next ones. Otherwise
        they are no answer: the lines of a pasted text after the first would answer, or be commands
        of, whatever reads the terminal next.
    """

    @property
    def takes_lines_typed_ahead(self) -> bool: ...

    def parse(self, line: str) -> Payload:
        """Return the answer that a line is; raise PayloadTypeMismatch if it is none."""

    def render(self, size: Size, *, styled: bool) -> Rendered:
        """Return the question."""

    def render_again(self, size: Size, line: str, *, styled: bool) -> Rendered:
        """Return what asks once more, below a line that is no answer."""


def echoed_rows(column: int, typed: str, columns: int) -> int:
    """Return by how many rows the cursor moved down while a text was typed at a column."""
    from rich.cells import cell_len

    rows = 0
    # Terminals disagree about clusters: with the smallest width, no other output is cleared.
    for character in _CONTROL.sub("^X", _IN_CLUSTER.sub("", typed)):
        if character == "\n":
            rows, column = rows + 1, 0
        elif character == "\t":
            column = min(columns - 1, column + TAB_COLUMNS - column % TAB_COLUMNS)
        else:
            column += cell_len(character)
            if column > columns:  # a character in the last column does not move the cursor down
                rows, column = rows + 1, cell_len(character)
    return rows
