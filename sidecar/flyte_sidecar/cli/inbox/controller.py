"""What the keys of the full-screen mode do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

from msgspec import Struct

from flyte_sidecar.cli.inbox.event_list import EventList, Row
from flyte_sidecar.cli.inbox.keys import Action, Page
from flyte_sidecar.cli.inbox.scrolling import Movable, Scrolling
from flyte_sidecar.cli.inbox.session import Session, Written
from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.intern_pool import EventKey, event_key
from flyte_sidecar.events.live.live_events import EventChange
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.outcome_text import title
from flyte_sidecar.events.payload_text import FORMS, parse_payload

Purpose: TypeAlias = Literal["filter", "answer", "reason", "confirm"]

SENDING = "being sent…"


class Input(Struct, frozen=True):
    """A question of the inbox to its user.

    Attributes
    ----------
    row
        The event to answer or to abort; None for the filter.
    reason
        The reason that was typed, for the confirmation of an abort.
    """

    purpose: Purpose
    row: Row | None = None
    reason: str = ""


class Controller:
    """The state of the full-screen mode.

    An answer goes to the event that was selected on the screen when the key was pressed. A question
    is answered only once it was on the screen: a terminal may send a pasted text as keys.

    Parameters
    ----------
    on_change
        Called when the screen must be drawn again.
    quit_inbox
        Called when the user quits.

    Attributes
    ----------
    page
        What is shown.
    input
        What the user is asked, if anything.
    message
        The result of the last action.
    scrolling
        The position in the prompt or the help.
    """

    session: Session

    def __init__(
        self,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        quit_inbox: Callable[[], None],
    ) -> None:
        self.events = EventList(clock)
        self.page: Page = "list"
        self.input: Input | None = None
        self.message = ""
        self.filter_text = ""
        self.scrolling = Scrolling()
        self._on_change = on_change
        self._displayed: EventKey | None = None
        self._displayed_message = ""
        self._displayed_input: Input | None = None
        self._previous_page: Page = "list"
        self._details: Event | None = None
        self._reading: asyncio.Task[Event | None] | None = None
        self._actions: dict[Action, Callable[[], None]] = {
            "up": lambda: self._moving.move(-1),
            "down": lambda: self._moving.move(1),
            "page up": lambda: self._moving.move_pages(-1),
            "page down": lambda: self._moving.move_pages(1),
            "start": lambda: self._moving.move_to_start(),
            "end": lambda: self._moving.move_to_end(),
            "open": self._open,
            "back": self._back,
            "yes": partial(self._answer_bool, True),
            "no": partial(self._answer_bool, False),
            "answer": self._ask_answer,
            "abort": self._ask_abort,
            "filter": self._ask_filter,
            "retry": self._retry,
            "help": partial(self._show, "help"),
            "quit": quit_inbox,
        }

    def on_event(self, event: Event, change: EventChange) -> None:
        if change == "waiting":
            self.events.put(event)
        else:
            self.events.end(event)
        self._on_change()

    def on_state(self) -> None:
        self._on_change()

    # What is drawn.

    def drawn(self) -> None:
        """Record that the present state is on the screen."""
        selected = self.events.selected
        self._displayed = None if selected is None else selected.key
        self._displayed_message = self.message
        self._displayed_input = self.input

    @property
    def opened(self) -> Event | None:
        """The selected event, with its details if they are known."""
        row = self.events.selected
        if row is None:
            return None
        details = self._details
        return details if details is not None and event_key(details) == row.key else row.event

    # What the user does.

    def do(self, action: Action) -> None:
        """Perform the action of a key."""
        if self.message == self._displayed_message:
            self.message = ""
        self._actions[action]()
        self._on_change()

    def typed(self, text: str) -> None:
        """Filter by the text, if that is what is asked."""
        if self.input is not None and self.input.purpose == "filter":
            self.filter_text = text
            self.events.filter(text)

    def submit(self, text: str) -> None:
        """Use the text that the user has typed."""
        asked, self.message = self.input, ""
        if asked is None or not self._was_displayed(asked):
            return
        row = asked.row
        if row is None:
            self.input = None
        elif row.ended is not None:
            self.input = None
            self._report_ended(row)
        elif asked.purpose == "answer":
            self._submit_answer(row, text)
        elif asked.purpose == "reason":
            self.input = Input("confirm", row, text.strip())
        self._on_change()

    def confirm(self) -> None:
        """Abort the event whose reason was typed."""
        asked, self.message = self.input, ""
        if asked is None or asked.row is None or not self._was_displayed(asked):
            return
        self.input = None
        if asked.row.ended is not None:
            self._report_ended(asked.row)
        else:
            self._send(asked.row, self.session.abort(asked.row.event, asked.reason or None))
        self._on_change()

    def cancel(self) -> None:
        """Ask nothing any more."""
        asked, self.input = self.input, None
        if asked is not None and asked.row is None:
            self._set_filter("")
        else:
            self.message = "Nothing was sent."
        self._on_change()

    @property
    def _moving(self) -> Movable:
        return self.events if self.page == "list" else self.scrolling

    def _show(self, page: Page) -> None:
        self._previous_page, self.page = self.page, page
        self.scrolling.move_to_start()

    def _open(self) -> None:
        row = self.events.selected
        if row is None:
            return
        self._show("prompt")
        self._details = row.event  # it is still shown if the event ends
        if row.event.partial:
            self._reading = asyncio.ensure_future(self.session.read(row.event))
            self._reading.add_done_callback(self._read)

    def _read(self, reading: asyncio.Task[Event | None]) -> None:
        if reading is self._reading and not reading.cancelled():
            self._details = reading.result() or self._details
            self._on_change()

    @property
    def is_reading(self) -> bool:
        """Whether the details of the opened event are being read."""
        return self._reading is not None and not self._reading.done()

    def _back(self) -> None:
        if self.page == "list":
            self._set_filter("")
        else:
            self.page = self._previous_page if self.page == "help" else "list"
            self.scrolling.move_to_start()

    def _set_filter(self, text: str) -> None:
        self.filter_text = text
        self.events.filter(text)

    def _ask_filter(self) -> None:
        self.input = Input("filter")

    def _retry(self) -> None:
        self.session.retry()

    def _target(self) -> Row | None:
        """Return the event to answer or to abort; None if there is none, which is reported."""
        row = self.events.selected
        if row is None:
            self.message = "No event is selected."
        elif row.ended is not None:
            self._report_ended(row)
        elif row.note == SENDING:
            self.message = f"The answer to {title(row.event)} is already being sent."
        else:
            return row
        return None

    def _was_displayed(self, asked: Input) -> bool:
        """Return whether a question was on the screen; report it if it was not."""
        if asked.row is not None and asked is not self._displayed_input:
            self.message = "Nothing was sent: this question was not on the screen yet."
            self._on_change()
            return False
        return True

    def _report_ended(self, row: Row) -> None:
        self.message = f"Nothing was sent: {row.outcome}"

    def _answer_bool(self, answer: bool) -> None:
        row = self._target()
        if row is not None and row.key != self._displayed:
            self.message = f"Nothing was sent: {title(row.event)} was not on the screen yet."
        elif row is not None and row.event.expected_type != "bool":
            form = FORMS[row.event.expected_type]
            self.message = f"{title(row.event)} expects {form}. Press a to type the answer."
        elif row is not None:
            self._send(row, self.session.signal(row.event, answer))

    def _ask_answer(self) -> None:
        if (row := self._target()) is not None:
            self.input = Input("answer", row)

    def _ask_abort(self) -> None:
        if (row := self._target()) is not None:
            self.input = Input("reason", row)

    def _submit_answer(self, row: Row, text: str) -> None:
        expected = row.event.expected_type
        try:
            if not text:
                raise PayloadTypeMismatch("Nothing was typed")
            payload = parse_payload(text, expected)
        except PayloadTypeMismatch as error:
            self.message = f"{error.message[0].upper()}{error.message[1:]}. Esc cancels."
        else:
            self.input = None
            self._send(row, self.session.signal(row.event, payload))

    def _send(self, row: Row, writing: asyncio.Task[Written]) -> None:
        row.note = SENDING
        writing.add_done_callback(partial(self._written, row))

    def _written(self, row: Row, writing: asyncio.Task[Written]) -> None:
        if writing.cancelled():
            return
        written = writing.result()
        if written.event is not None and not written.event.pending:
            self.message = written.text
            self.events.end(written.event)
        else:
            self.message = f"{title(row.event)}: {written.text}"
            row.note = written.text
        self._on_change()
