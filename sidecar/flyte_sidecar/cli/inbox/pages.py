"""An event and the help, as pages of the full-screen mode."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain

from prompt_toolkit.formatted_text import ANSI, to_formatted_text

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.answering.quoting import quoted_prompt
from flyte_sidecar.cli.inbox.cells import Line, fit, one_width
from flyte_sidecar.cli.inbox.event_list import Row
from flyte_sidecar.cli.inbox.keys import KEYS
from flyte_sidecar.cli.prompt_text import text_lines
from flyte_sidecar.cli.times import age, expiry
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.payload_text import FORMS
from flyte_sidecar.events.plain_text import sanitize

MAX_COLUMNS = 100
"""Columns of the lines on a screen of any width."""

LABEL_COLUMNS = 12
KEY_COLUMNS = 18

HELP = (
    "There is no undo: an answer and an abort are final. An answer goes to the event that is"
    " selected on the screen when you press the key.",
    "An event that has ended stays for a while with its outcome, and is dimmed. It stays for as"
    " long as it is selected.",
    "Ctrl-L draws the screen again. Ctrl-Z suspends the inbox, and fg continues it. Ctrl-C quits.",
)


def facts(event: Event, row: Row) -> Iterable[tuple[str, str]]:
    """Yield the labels and the texts of what is known about an event."""
    now = datetime.now(UTC)
    yield "Event", event.name
    yield "Run", event.run_name
    scope = "/".join(part for part in (event.org, event.project, event.domain) if part)
    if scope:
        yield "Project", scope
    yield "Action", event.action_name
    if row.ended is not None:
        yield "Ended", row.ended
        return
    yield "Expects", FORMS[event.expected_type]
    yield "Waits for", age(event, now)
    if not event.partial:
        yield "Expires", expiry(event, now)
    if event.url:
        yield "URL", event.url
    if row.note is not None:
        yield "Answer", row.note


def event_lines(
    event: Event, facts: Iterable[tuple[str, str]], width: int, *, is_reading: bool
) -> list[Line]:
    """Return everything about an event, given its facts: labels and texts."""
    columns = min(width, MAX_COLUMNS)
    lines = [
        *chain.from_iterable(_labelled(name, text, LABEL_COLUMNS, columns) for name, text in facts),
        [],
    ]
    prompt = quoted_prompt(event, columns, sys.stdout.encoding, styled=True)
    if not prompt and event.partial:
        return [*lines, [("dim", "Reading the prompt…" if is_reading else "No prompt was found.")]]
    return [*lines, *chain.from_iterable(_folded(line, columns) for line in prompt)]


def _folded(line: str, columns: int) -> list[Line]:
    """Return a line of a prompt, on more lines if it is too wide.

    It is if it contains clusters: they are shown as separate characters.
    """
    [bar, *characters] = to_formatted_text(ANSI(one_width(line)))
    lines: list[Line] = [[("dim", bar[1])]]
    used = 1
    for style, character, *_ in characters:
        width = terminal.width(character)
        if used + width > columns:
            lines.append([("dim", f"{bar[1]} ")])
            used = 2
        lines[-1].append((style, character))
        used += width
    return lines


def help_lines(width: int) -> list[Line]:
    """Return the keys and what they do."""
    columns = min(width, MAX_COLUMNS)
    lines: list[Line] = []
    for key in KEYS:
        lines += _labelled(key.names, key.help, KEY_COLUMNS, columns)
    for paragraph in HELP:
        lines.append([])
        lines += [[("", line)] for line in text_lines(paragraph, None, columns, styled=False)]
    return lines


def _labelled(name: str, text: str, label: int, columns: int) -> list[Line]:
    """Return untrusted text beside its label of so many columns."""
    lines = text_lines(one_width(sanitize(text)), None, columns - label, styled=False) or [""]
    labels = [name, *([""] * (len(lines) - 1))]
    return [
        [("bold", fit(each, label)), ("", line)] for each, line in zip(labels, lines, strict=True)
    ]
