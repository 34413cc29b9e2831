"""The state of the plain mode: what is announced, and what commands do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.answering.quoting import quoted_prompt
from flyte_sidecar.cli.inbox.numbered_events import NumberedEvents
from flyte_sidecar.cli.inbox.session import Session, Written
from flyte_sidecar.cli.prompt_text import text_lines
from flyte_sidecar.cli.quantities import events_wait
from flyte_sidecar.cli.times import age, expiry
from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.live.live_events import EventChange
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH, outcome, title
from flyte_sidecar.events.payload_text import FORMS, parse_payload
from flyte_sidecar.events.plain_text import one_line, sanitize

PAGE = 20
"""Events that `list` and `more` print at once."""

MAX_ANNOUNCED = 10
"""Changes at about the same time that are announced one by one; of more, only the number is."""

ANNOUNCE_DELAY = 0.2
"""Seconds for which changes are collected."""

CONTINUED = "    "

HELP = """\
3 yes            answer event 3; a number or a text is typed in the same way
show 3           print the prompt and the details of event 3
list WORDS       print the events that contain the words; without words, all
more             print the next ones
abort 3 REASON   abort event 3 after a confirmation; a reason is optional
retry            connect again now; log in again
quit             quit, as Ctrl-D and Ctrl-C do
There is no undo: an answer and an abort are final."""


class PlainInbox:
    """Announces changes of events, and performs commands.

    Parameters
    ----------
    write
        Writes a line.
    quit_inbox
        Called when the user quits.
    """

    session: Session

    def __init__(self, write: Callable[[str], None], quit_inbox: Callable[[], None]) -> None:
        self._write = write
        self._events = NumberedEvents()
        self._is_listed = False
        self._new: list[int] = []
        self._ended: list[str] = []
        self._sending: set[int] = set()
        self._printed: set[int] = set()  # only these can be answered
        self._announcing: asyncio.TimerHandle | None = None
        self._said: set[str] = set()
        self._listing: list[int] = []
        self._abort: Callable[[], None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._commands: dict[str, Callable[[str], None]] = {
            "list": self._list,
            "more": lambda rest: self._more(),
            "show": self._show,
            "abort": self._ask_abort,
            "retry": lambda rest: self.session.retry(),
            "help": lambda rest: self._help(),
            "quit": lambda rest: quit_inbox(),
            "q": lambda rest: quit_inbox(),
        }

    def start(self, session: Session) -> None:
        """Show the events of a session."""
        self.session = session
        self.say("Inbox. Type help for the commands.")
        self.on_state()

    def say(self, text: str) -> None:
        """Print a text on one line, or on more if it is too long for the terminal."""
        first, *others = self._wrapped(text, CONTINUED)
        self._write(first)
        for line in others:
            self._write(f"{CONTINUED}{line}")

    # What happens to the events.

    def on_event(self, event: Event, change: EventChange) -> None:
        if change == "waiting":
            number = self._events.put(event)
            if number is not None:
                self._new.append(number)
        else:
            ended = f"{title(event)} is no longer listed."
            text = ended if change == "removed" else outcome(event)
            number = self._events.end(event, text)
            self._printed.discard(number or 0)
            if number is not None and number not in self._sending:
                self._ended.append(f"{number}: {text}")
        self._announce_soon()

    def on_state(self) -> None:
        session = self.session
        current = {f"The inbox is {session.state_and_backend}."}
        current |= {text for text in (session.problem, session.logins.failure) if text}
        current |= {*session.logins.messages.values()}
        for text in sorted(current - self._said):
            self.say(text)
        self._said = current
        self._announce_soon()

    def _announce_soon(self) -> None:
        if self._announcing is None:
            loop = asyncio.get_running_loop()
            self._announcing = loop.call_later(ANNOUNCE_DELAY, self._announce)

    def _announce(self) -> None:
        self._announcing = None
        if self.session.live.state.phase == "connecting":
            return
        new = [number for number in self._new if number in self._events.waiting]
        ended = self._ended
        self._new, self._ended = [], []
        if not self._is_listed:
            self._is_listed = True
            self._list("")
            return
        if len(new) > MAX_ANNOUNCED:
            self.say(f"{len(new):,} more events wait, from number {new[0]} to {new[-1]}.")
        else:
            for number in new:
                self.say(f"New: {self._line(number, self._events.waiting[number])}")
        if len(ended) > MAX_ANNOUNCED:
            self.say(f"{len(ended):,} events have ended.")
        else:
            for text in ended:
                self.say(text)

    # What the user types.

    def command(self, line: str) -> None:
        """Perform a command."""
        word, _, rest = line.strip().partition(" ")
        abort, self._abort = self._abort, None
        if abort is not None:
            if word == "yes" and not rest:
                abort()
            else:
                self.say("Nothing was aborted.")
        elif word.isdecimal():
            self._answer(word, rest)
        elif word in self._commands:
            self._commands[word](rest.strip())
        elif word:
            self.say(f"{one_line(word)!r} is not a command. Type help for the commands.")

    def _help(self) -> None:
        for line in HELP.splitlines():
            self._write(line)

    def _list(self, words: str) -> None:
        events = self._events
        omitted = self.session.live.omitted
        waiting = len(events.waiting) + omitted
        counted = f"{events_wait(waiting)} for an answer"
        self.say(
            f"{counted}, and {omitted:,} of them cannot be listed." if omitted else f"{counted}."
        )
        self._listing = events.matching(words)
        if words and not self._listing:
            self.say("None of them contains these words.")
        self._more()

    def _more(self) -> None:
        shown, self._listing = self._listing[:PAGE], self._listing[PAGE:]
        for number in shown:
            event = self._events.waiting.get(number)
            if event is not None:
                self.say(self._line(number, event))
        if self._listing:
            self.say(f"{len(self._listing):,} more: type more for the next ones.")

    def _show(self, word: str) -> None:
        event = self._find(word)
        if event is not None and event.partial:
            self._reading = asyncio.ensure_future(self._read(int(word), event))
        elif event is not None:
            self._print(int(word), event)

    async def _read(self, number: int, event: Event) -> None:
        self._print(number, await self.session.read(event) or event)

    def _print(self, number: int, event: Event) -> None:
        self._printed.add(number)
        self.say(f"Event: {event.name}")
        self.say(f"Run: {event.run_name}")
        self.say(f"Expects: {FORMS[event.expected_type]}")
        self.say(_times(event))
        if event.url:
            self.say(f"URL: {event.url}")
        for line in quoted_prompt(event, terminal.columns() or 80, "ascii", styled=False):
            self._write(line)

    def _answer(self, word: str, text: str) -> None:
        event = self._find_printed(word)
        if event is None:
            return
        form = FORMS[event.expected_type]
        try:
            if not text:
                raise PayloadTypeMismatch(f"the event expects {form}")
            payload = parse_payload(text, event.expected_type)
        except PayloadTypeMismatch as error:
            self.say(f"Nothing was sent: {error.message}. Type {word} and the answer.")
        else:
            self._send(int(word), self.session.signal(event, payload))

    def _ask_abort(self, rest: str) -> None:
        word, _, reason = rest.partition(" ")
        event = self._find_printed(word)
        if event is None:
            return
        reason = reason.strip()
        because = f" with the reason {one_line(reason)!r}" if reason else ""
        self.say(f"Abort {title(event)}{because}? This cannot be undone. Type yes to abort.")
        self._abort = lambda: self._send(int(word), self.session.abort(event, reason or None))

    def _find(self, word: str) -> Event | None:
        """Return the waiting event of a typed number; None if there is none, which is reported."""
        number = int(word) if word.isdecimal() else 0
        event = self._events.waiting.get(number)
        if event is None:
            ended = self._events.outcome(number)
            self.say(
                f"There is no event {one_line(word)!r} in the list."
                if ended is None
                else f"Nothing was sent: {number}: {ended}"
            )
        return event

    def _find_printed(self, word: str) -> Event | None:
        """Return the event as `_find` does, but only if the user can have seen what it is."""
        event = self._find(word)
        if event is not None and int(word) not in self._printed:
            self.say(f"Nothing was sent: event {int(word)} was not printed yet. Type show {word}.")
            return None
        return event

    def _send(self, number: int, writing: asyncio.Task[Written]) -> None:
        self._sending.add(number)  # the result is announced, and not the change
        writing.add_done_callback(partial(self._written, number))

    def _written(self, number: int, writing: asyncio.Task[Written]) -> None:
        if writing.cancelled():
            return
        written = writing.result()
        if written.event is not None and not written.event.pending:
            self._events.end(written.event, outcome(written.event))
        self._sending.discard(number)
        self.say(f"{number}: {written.text}")

    def _line(self, number: int, event: Event) -> str:
        self._printed.add(number)
        form = event.expected_type or "a value of unknown type"
        prompt = one_line(event.prompt or "", MAX_TEXT_LENGTH)
        return f"{number}: {title(event)}, {form}. {_times(event)} {prompt}"

    def _wrapped(self, text: str, indent: str) -> list[str]:
        columns = (terminal.columns() or 80) - len(indent)
        return text_lines(sanitize(text), None, columns, styled=False) or [""]


def _times(event: Event) -> str:
    now = datetime.now(UTC)
    expires = "" if event.expires_at is None else f" Expires {expiry(event, now)}."
    return f"Waits for {age(event, now)}.{expires}"
