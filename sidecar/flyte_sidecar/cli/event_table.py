"""The table of pending events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.table import Column, Table
from flyte_sidecar.cli.times import age, expiry
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.plain_text import sanitize

PROJECT = Column("PROJECT", usual=11)
COLUMNS = (
    Column("RUN", usual=20),
    Column("NAME", usual=20, is_bold=True),
    Column("TYPE", usual=5, rank=4),
    Column("AGE", usual=3, rank=3),
    Column("EXPIRES", rank=1),
    Column("PROMPT", rank=2, is_text=True),
)


class EventTable:
    """A table of pending events that fits the terminal at stdout, printed while they arrive.

    It has a column for the project only if the events are of several projects.

    Parameters
    ----------
    several_projects
        Whether events that arrive later may be of other projects than the first ones.
    width, styled
        As those of `Table`.
    """

    def __init__(
        self,
        *,
        several_projects: bool = False,
        width: int | None = None,
        styled: bool | None = None,
    ) -> None:
        self._now, self._width = datetime.now(UTC), width or terminal.columns()
        self._styled = styled
        self._several_projects = several_projects
        self._table: Table | None = None
        self._has_project = False

    def lines(self, events: Sequence[Event], *, more: bool = False) -> list[str]:
        """Return the lines of further events, the first ones after the line of titles.

        Parameters
        ----------
        more
            Whether others may follow.
        """
        if not events:
            return []
        if self._table is None:
            projects = {event.project for event in events}
            self._has_project = len(projects) > 1 or (more and self._several_projects)
            columns = (PROJECT, *COLUMNS) if self._has_project else COLUMNS
            self._table = Table(columns, width=self._width, styled=self._styled)
        return self._table.lines([self._row(event) for event in events], more=more)

    def _row(self, event: Event) -> list[str]:
        project = [event.project or "?"] if self._has_project else []
        cells = [
            *project,
            event.run_name,
            event.name,
            event.expected_type or "?",
            age(event, self._now),
            expiry(event, self._now),
            event.prompt or "",
        ]
        row = [sanitize(cell) for cell in cells]
        return (
            row if self._width is None else [terminal.truncate(cell, self._width) for cell in row]
        )
