"""A table that fits the terminal at stdout, and that is printed while its rows arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from flyte_sidecar.cli import terminal

GAP = "  "

MIN_WIDTH = 5
"""The minimum width of a truncated cell, in columns."""

MIN_TEXT_WIDTH = 10
"""The minimum width of a truncated text, below which its column is omitted."""


class Column(Struct, frozen=True):
    """A column of a table.

    Attributes
    ----------
    usual
        The width of most cells, in columns, so that rows which arrive later are aligned too.
    rank
        The column of the lowest rank is the first that is omitted if a line does not fit the
        terminal. None: it is truncated if omitting the others is not enough.
    is_text
        Whether it is truncated before anything is omitted.
    is_bold
        Whether its cells are bold.
    """

    title: str
    usual: int = 0
    rank: int | None = None
    is_text: bool = False
    is_bold: bool = False


class Table:
    """Formats rows of sanitized cells as lines; the columns grow with later rows.

    Parameters
    ----------
    width, styled
        The width of the terminal in columns, and whether it shows styles; None as at stdout.
    """

    def __init__(
        self, columns: Sequence[Column], *, width: int | None = None, styled: bool | None = None
    ) -> None:
        self._columns = [*columns]
        self._widths: dict[str, int] = {}  # what the cells need, by title
        self._terminal = width or terminal.columns()
        self._paint = terminal.painter(styled)

    def lines(self, rows: Sequence[Sequence[str]], *, more: bool) -> list[str]:
        """Return the lines of further rows, the first ones after the line of titles.

        Parameters
        ----------
        more
            Whether others may follow.
        """
        if not rows:
            return []
        titles = None if self._widths else {column.title: column.title for column in self._columns}
        by_title = [
            {
                column.title: terminal.encodable(cell)
                for column, cell in zip(self._columns, row, strict=True)
            }
            for row in rows
        ]
        for column in self._columns:
            least = max(terminal.width(column.title), column.usual if more else 0)
            known = self._widths.get(column.title, least)
            needed = (terminal.width(row[column.title]) for row in by_title)
            self._widths[column.title] = max(known, *needed)
        widths = self._fitting()
        lines = [] if titles is None else [self._paint(self._line(titles, widths), terminal.DIM)]
        return lines + [self._line(row, widths, bold=True) for row in by_title]

    def _line(
        self, row: Mapping[str, str], widths: Mapping[str, int], *, bold: bool = False
    ) -> str:
        cells: list[str] = []
        for column in self._columns:
            if (width := widths.get(column.title)) is not None:
                cell = terminal.pad(terminal.truncate(row[column.title], width), width)
                cells.append(self._paint(cell, terminal.BOLD) if bold and column.is_bold else cell)
        return GAP.join(cells).rstrip()

    def _fitting(self) -> dict[str, int]:
        """Return the widths by title with which a line fits, without the omitted columns.

        What identifies a row matters more than anything else: it is copied into a command.
        """
        widths, total = {**self._widths}, self._terminal
        if total is None:
            return widths
        ranked = [column for column in self._columns if column.rank is not None]
        for omitted in (None, *sorted(ranked, key=lambda column: column.rank or 0)):
            if omitted is not None:
                del widths[omitted.title]
            self._truncate_text(widths, total)
            if _line_width(widths) <= total:
                return widths
        while _line_width(widths) > total:
            widest = max(widths, key=widths.__getitem__)
            if widths[widest] <= MIN_WIDTH:
                break
            widths[widest] -= 1
        return widths

    def _truncate_text(self, widths: dict[str, int], total: int) -> None:
        for column in self._columns:
            if column.is_text and column.title in widths:
                needed = self._widths[column.title]
                widths[column.title] = 0
                room = total - _line_width(widths)
                widths[column.title] = min(needed, max(MIN_TEXT_WIDTH, room))


def _line_width(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + len(GAP) * (len(widths) - 1)
