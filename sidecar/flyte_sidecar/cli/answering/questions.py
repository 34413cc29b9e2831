"""The questions at the terminal: the answer to an event, and which event to answer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct
from rich.cells import cell_len

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.answering.quoting import quoted_prompt
from flyte_sidecar.cli.prompt_text import text_lines
from flyte_sidecar.cli.times import age, expiry
from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.model import Event, ExpectedType, Payload
from flyte_sidecar.events.outcome_text import title
from flyte_sidecar.events.payload_text import FORMS, mismatch, parse_payload
from flyte_sidecar.events.plain_text import one_line, sanitize
from flyte_sidecar.local_runs.terminal import Rendered, Size

FIELDS: dict[ExpectedType | None, str] = {
    "bool": "yes/no",
    "int": "whole number",
    "float": "number",
    "str": "text",
    None: "JSON",
}
"""What to enter, in the line in which it is entered."""

LOCAL_PROJECT = "local"
"""The project of local runs, which needs no mention."""


class AnswerQuestion(Struct, frozen=True):
    """Asks for the answer to an event."""

    event: Event

    @property
    def takes_lines_typed_ahead(self) -> bool:
        return self.event.expected_type not in ("str", None)

    def parse(self, line: str) -> Payload:
        """Return the answer. An empty line is none, not even an empty text."""
        text = line.strip()
        if not text:
            raise PayloadTypeMismatch("nothing was entered")
        return parse_payload(text, self.event.expected_type)

    def render(self, size: Size, *, styled: bool) -> Rendered:
        return rendered(
            [
                *text_lines(heading(self.event), "text", size.columns, styled=styled, style="bold"),
                *quoted_prompt(self.event, size.columns, sys.stderr.encoding, styled=styled),
                self._field(),
            ],
            size,
        )

    def render_again(self, size: Size, line: str, *, styled: bool) -> Rendered:
        expected, text = self.event.expected_type, line.strip()
        if expected in ("str", None) or not text:
            hint = f"Enter {FORMS[expected]}"
            if expected == "str":
                hint += " on one line (pass an empty one or several lines as VALUE)"
        else:
            hint = f"{mismatch(text, expected)}: enter {FORMS[expected]}"
        return rendered(
            [
                *text_lines(hint, "text", size.columns, styled=styled, style="red"),
                self._field(),
            ],
            size,
        )

    def _field(self) -> str:
        return f"Answer [{FIELDS[self.event.expected_type]}]: "


class ChoiceQuestion(Struct, frozen=True, kw_only=True):
    """Asks which event to answer. The answer is a number, or a text to filter the events by."""

    events: Sequence[Event]
    has_more: bool
    note: str = ""

    @property
    def takes_lines_typed_ahead(self) -> bool:
        return True

    def parse(self, line: str) -> Payload:
        """Return the number of an event, or the text; an empty one asks for other events."""
        text = line.strip()
        if not text.isdecimal():
            return text
        if not 1 <= int(text) <= len(self.events):
            raise PayloadTypeMismatch("there is no event with this number")
        return int(text)

    def render(self, size: Size, *, styled: bool) -> Rendered:
        note = text_lines(self.note, "text", size.columns, styled=styled, style="red")
        return rendered([*note, *self._rows(size.columns), self._field()], size)

    def render_again(self, size: Size, line: str, *, styled: bool) -> Rendered:
        hint = f"Enter a number from 1 to {len(self.events)}"
        shown = text_lines(hint, "text", size.columns, styled=styled, style="red")
        return rendered([*shown, self._field()], size)

    def _field(self) -> str:
        enter = "Enter for more" if self.has_more else "Enter for all"
        return f"Event [1-{len(self.events)}, text to filter, {enter}]: "

    def _rows(self, columns: int) -> list[str]:
        now = datetime.now(UTC)
        rows = [
            (
                f"{number:>3}",
                terminal.truncate(sanitize(event.run_name), columns // 4),
                terminal.truncate(sanitize(event.name), columns // 4),
                event.expected_type or "?",
                age(event, now),
                sanitize(event.prompt or ""),
            )
            for number, event in enumerate(self.events, 1)
        ]
        widths = [max(map(terminal.width, cells)) for cells in zip(*rows, strict=True)]
        widths[-1] = 0
        return [
            terminal.truncate("  ".join(map(terminal.pad, row, widths)), columns) for row in rows
        ]


def heading(event: Event) -> str:
    """Return what waits, where, for how long, and until when."""
    now = datetime.now(UTC)
    details: list[str] = []
    if event.project not in (None, LOCAL_PROJECT):
        details.append(f"{one_line(event.project or '')}/{one_line(event.domain or '')}")
    if event.created_at is not None:
        details.append(f"waits for {age(event, now)}")
    if event.expires_at is not None:
        details.append(f"expires {expiry(event, now)}")
    return f"{title(event)} ({', '.join(details)})" if details else title(event)


def rendered(lines: Sequence[str], size: Size) -> Rendered:
    """Return the lines of a question; the last is the one in which a person enters something."""
    below, column = divmod(max(0, cell_len(lines[-1]) - 1), size.columns)
    return Rendered("\n".join(lines), len(lines) + below, column + 1)
