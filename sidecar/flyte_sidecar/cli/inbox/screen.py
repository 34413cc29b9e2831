"""The screen of the full-screen mode, as lines with styles."""

from __future__ import annotations

from datetime import UTC, datetime

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.inbox.cells import Line, fit, one_width
from flyte_sidecar.cli.inbox.columns import MARKER, Columns
from flyte_sidecar.cli.inbox.controller import Controller
from flyte_sidecar.cli.inbox.event_list import Row
from flyte_sidecar.cli.inbox.keys import HINTS, Page
from flyte_sidecar.cli.inbox.pages import event_lines, facts, help_lines
from flyte_sidecar.cli.prompt_text import text_lines
from flyte_sidecar.cli.quantities import events_wait
from flyte_sidecar.events.outcome_text import title
from flyte_sidecar.events.payload_text import FORMS
from flyte_sidecar.events.plain_text import one_line, sanitize

MIN_BODY = 3
"""Lines that the list has at least, if the screen has as many."""

MAX_PROBLEM_LINES = 3
MAX_LOGIN_LINES = 8
MAX_MESSAGE_LINES = 4


class Screen:
    """Draws the state of a controller.

    Attributes
    ----------
    cursor
        The line of the selected event.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._columns = Columns()
        self._text: list[Line] = []
        self._text_of: tuple[object, ...] = ()
        self.cursor = 0

    def draw(self, width: int, height: int) -> list[Line]:
        """Return the lines of the screen."""
        header, footer = self._header(width), self._footer(width)
        # A question is never left out.
        wanted = MIN_BODY if self._controller.input is None else 1
        least = max(1, min(wanted, height - 1))
        body_height = max(least, height - len(header) - len(footer))
        header = header[: max(0, height - body_height)]
        footer = footer[: max(0, height - body_height - len(header))]
        self.cursor = len(header)
        if self._controller.page == "list":
            body = self._list(width, body_height)
        else:
            body = self._page(width, body_height)
            if footer and not footer[0]:
                footer[0] = [("dim", fit(self._position(body_height), width))]
        body += [[]] * (body_height - len(body))
        return [_clip(line, width) for line in (*header, *body, *footer)]

    # Above and below the list.

    def _header(self, width: int) -> list[Line]:
        session = self._controller.session
        style = _STATE_STYLES[session.live.state.phase]
        lines: list[Line] = [self._title(width, style)]
        if session.problem is not None:
            lines += _wrapped(session.problem, width, "ansired", MAX_PROBLEM_LINES)
        if session.live.state.phase == "failed":
            lines.append([("", "Press r to connect again.")])
        for message in session.logins.messages.values():
            lines += _wrapped(message, width, "bold", MAX_LOGIN_LINES)
        if session.logins.failure is not None:
            lines += _wrapped(session.logins.failure, width, "ansired", MAX_PROBLEM_LINES)
        return lines

    def _title(self, width: int, style: str) -> Line:
        """Return the line with the number of events and the state of the connection."""
        events, session = self._controller.events, self._controller.session
        waiting = events.waiting + session.live.omitted
        count = f" {events_wait(waiting)}"
        if session.live.omitted:
            count += f" ({session.live.omitted:,} not shown)"
        state = f"  {session.state_and_backend} "
        if len(count) + len(state) > width:
            count, state = f" {waiting:,}", f" {session.state} "
        if self._controller.filter_text:
            count += f", {len(events.rows):,} shown: {one_line(self._controller.filter_text)}"
        left = fit(count, max(0, width - len(state)))
        return [("bold", left), (style, fit(state, width - terminal.width(left)))]

    def _footer(self, width: int) -> list[Line]:
        controller = self._controller
        asked = controller.input
        lines: list[Line] = [[]]
        if controller.message:
            lines = _wrapped(controller.message, width, "bold", MAX_MESSAGE_LINES)
        if asked is None:
            return [*lines, [("dim", fit(_hints(controller.page, width), width))]]
        if asked.row is None:
            hint = "Enter keeps the filter, Esc shows all events."
        elif asked.row.ended is not None:
            hint = f"{asked.row.outcome} Esc goes back."
        elif asked.purpose == "answer":
            form = FORMS[asked.row.event.expected_type]
            event = title(asked.row.event)
            hint = f"{event} expects {form}. Enter sends it and cannot be undone, Esc cancels."
        elif asked.purpose == "reason":
            hint = f"Why is {title(asked.row.event)} aborted? Enter goes on, Esc cancels."
        else:
            reason = f" with the reason {one_line(asked.reason)!r}" if asked.reason else ""
            event = title(asked.row.event)
            hint = f"Abort {event}{reason}? This cannot be undone. y aborts, n cancels."
        question = _wrapped(hint, width, "", MAX_MESSAGE_LINES)
        return [*lines, *question] if controller.message else question

    # The list.

    def _list(self, width: int, height: int) -> list[Line]:
        events = self._controller.events
        if not events.rows:
            return [[], [("", fit(f" {self._nothing()}", width))]][-height:]
        headers = 1 if height > MIN_BODY else 0
        rows = events.visible(height - headers)
        head, *lines = self._columns.lines(rows, width, datetime.now(UTC))
        body = [[("dim", fit("", len(MARKER)) + "".join(head))]][:headers]
        for row, line in zip(rows, lines, strict=True):
            if row is events.selected:
                self.cursor += len(body)
            body.append(_row(row, line, row is events.selected))
        return body

    def _nothing(self) -> str:
        if self._controller.filter_text:
            return "No event contains these words. Esc shows all events."
        if self._controller.session.live.state.phase == "ready":
            return "No event waits for an answer. New ones appear here."
        return ""

    # The prompt and the help.

    def _page(self, width: int, height: int) -> list[Line]:
        controller = self._controller
        event, row = controller.opened, controller.events.selected
        if controller.page == "help" or event is None or row is None:
            text_of: tuple[object, ...] = ("help", width)
            if text_of != self._text_of:
                self._text = help_lines(width)
        else:
            known = [*facts(event, row)]
            text_of = (event, known, controller.is_reading, width)
            if text_of != self._text_of:
                self._text = event_lines(event, known, width, is_reading=controller.is_reading)
        self._text_of = text_of
        offset = controller.scrolling.fit(len(self._text), height)
        return self._text[offset : offset + height]

    def _position(self, height: int) -> str:
        first, lines = self._controller.scrolling.offset, len(self._text)
        return "" if lines <= height else f"Lines {first + 1} to {first + height} of {lines}"


_STATE_STYLES = {
    "connecting": "",
    "ready": "ansigreen",
    "disconnected": "bold ansired",
    "failed": "bold ansired",
}


def _clip(line: Line, width: int) -> Line:
    """Return the beginning of a line that is wider than the screen."""
    clipped: Line = []
    for style, text in line:
        shown = text if terminal.width(text) <= width else fit(text, width)
        clipped.append((style, shown))
        width -= terminal.width(shown)
    return clipped


def _row(row: Row, line: tuple[str, str], is_selected: bool) -> Line:
    names, rest = line
    style = "dim" if row.ended is not None else ""
    if is_selected:
        style = f"{style} reverse"
    marker = MARKER if is_selected else " " * len(MARKER)
    return [(style, marker), (style if row.ended else f"{style} bold", names), (style, rest)]


def _hints(page: Page, width: int) -> str:
    """Return as many of the hints as fit; the last two matter most."""
    *others, one, last = HINTS[page]
    for count in range(len(others), -1, -1):
        hints = "  ".join([*others[:count], one, last])
        if len(hints) <= width:
            return hints
    return last


def _wrapped(text: str, width: int, style: str, most: int) -> list[Line]:
    """Return untrusted text on some lines."""
    lines = text_lines(one_width(sanitize(text)), None, width, styled=False)
    if len(lines) > most:
        lines[most - 1 :] = [terminal.truncate(lines[most - 1] + "…", width)]
    return [[(style, fit(line, width))] for line in lines]
