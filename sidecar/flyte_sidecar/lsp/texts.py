"""What a person reads of events: titles of lenses and actions, hovers, documents, messages.

All functions are pure; `now` is the current time in the user's time zone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol

from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.intern_pool import event_key
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.model import (
    ABORTED,
    SUCCEEDED,
    TIMED_OUT,
    Event,
    ExpectedType,
    PromptType,
)
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH, answered
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.lsp.history import RecentEvents
from flyte_sidecar.lsp.markup import MARKDOWN, PLAIN, Markup
from flyte_sidecar.lsp.settings import SECTION

MAX_ENTRIES = 10
"""Events that a hover lists, of those that wait and of the others."""

ActionName = Literal["approve", "reject", "signal"]

_ACTIONS: dict[ActionName, tuple[str, str]] = {
    "approve": ("Approve", ""),
    "reject": ("Reject", ""),
    "signal": ("Answer", "…"),
}


_BACKENDS = {
    "local": "the embedded store",
    "flyte": "Flyte at",
    "all": "Flyte and the embedded store at",
}


class Declared(Protocol):
    """What the source declares of an event; None for what is absent or not certain."""

    @property
    def expected_type(self) -> ExpectedType | None: ...
    @property
    def prompt(self) -> str | None: ...
    @property
    def prompt_type(self) -> PromptType | None: ...
    @property
    def description(self) -> str | None: ...


def waiting(events: Sequence[Event], now: datetime, state: BackendState) -> str:
    """Return how many events wait and since when, as the title of a lens."""
    title = f"{len(events)} waiting"
    created = [event.created_at for event in events if event.created_at is not None]
    if created:
        title += f" · since {time_of(min(created), now)}"
    if state.phase in ("disconnected", "failed"):
        title += " · disconnected"
    return title


def action(name: ActionName, run: str | None = None) -> str:
    """Return the title of a command that answers an event; the run only if several wait."""
    verb, ellipsis = _ACTIONS[name]
    return f"{verb}{'' if run is None else f' {one_line(run)}'}{ellipsis}"


def selected_backend(backend_id: str) -> str:
    """Return that the settings have selected another backend."""
    kind, _, place = backend_id.partition(":")
    backend = _BACKENDS[kind]
    return f"Events now come from {backend} {one_line(place, MAX_TEXT_LENGTH)} (settings)."


def error_text(error: SidecarError) -> str:
    """Return the message of an error as one line; it names the setting that selects a scope."""
    message = error.message
    for param in ("org", "project", "domain"):
        if error.data.get("path") == f"/{param}":
            message = message.replace(f"`{param}`", f"`{SECTION}.{param}`")
    return one_line(message, MAX_TEXT_LENGTH)


def time_of(instant: datetime, now: datetime) -> str:
    """Return the time in the user's time zone, with the date unless it is today's."""
    local = instant.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%Y-%m-%d %H:%M}"


def status(event: Event, now: datetime) -> str:
    """Return whether an event waits, or how it ended, by whom and when."""
    if event.pending:
        since = "" if event.created_at is None else f" since {time_of(event.created_at, now)}"
        expires = event.expires_at
        until = "" if expires is None else f", expires {time_of(expires, now)}"
        return f"waiting{since}{until}"
    at = "" if event.ended_at is None else f" at {time_of(event.ended_at, now)}"
    if event.phase == SUCCEEDED:
        by = f" by {one_line(event.signalled_by)}" if event.signalled_by else ""
        return f"{answered(event.payload)}{by}{at}"
    if event.phase == ABORTED:
        reason = one_line(event.abort_reason or "", MAX_TEXT_LENGTH)
        return f"aborted{at}{reason and ': '}{reason}"
    if event.phase == TIMED_OUT:
        return f"timed out{at}"
    return f"ended{at}: {one_line(event.phase)}"


def hover(
    name: str,
    declared: Declared | None,
    pending: Sequence[Event],
    recent: RecentEvents,
    now: datetime,
    *,
    state: BackendState,
    markdown: bool = True,
) -> str:
    """Return what is known of the events of a name.

    Parameters
    ----------
    declared
        The declaration in the source, if the hover is over one.
    pending
        The events that wait, in order of creation.
    recent
        The events of recent runs. Those of them that wait only complete partial ones of `pending`.
    state
        Whether `pending` is up to date.
    markdown
        Whether to return markdown, else plain text.
    """
    markup = MARKDOWN if markdown else PLAIN
    details = {event_key(event): event for event in recent.events if event.pending}
    newest = [
        details.get(event_key(event), event) if event.partial else event
        for event in reversed(pending)
    ]
    ended = [event for event in recent.events if not event.pending]
    shown = newest + ended
    expected = next((event.expected_type for event in shown if event.expected_type), None)
    expected = expected or (declared.expected_type if declared else None)
    counted = f", {len(pending)} waiting" if pending else ""
    blocks = [markup.title(name, f"{expected or 'unknown type'}{counted}")]
    blocks += _question(markup, declared, shown)
    for events in (newest, ended):
        entries = [_entry(markup, event, recent, now) for event in events[:MAX_ENTRIES]]
        if len(events) > MAX_ENTRIES:
            entries.append(markup.text(f"and {len(events) - MAX_ENTRIES} more"))
        if entries:
            blocks.append(markup.items(entries))
    if recent.error is not None:
        blocks.append(markup.note(f"Earlier events cannot be read: {error_text(recent.error)}"))
    elif not recent.complete:
        blocks.append(markup.note("Some earlier events are not read yet."))
    if state.phase != "ready":
        reason = "" if state.error is None else f": {error_text(state.error)}"
        blocks.append(markup.note(f"This may be out of date: {state.phase}{reason}"))
    return "\n\n".join(blocks)


def document(event: Event, now: datetime) -> str:
    """Return an event as a document in markdown."""
    details = [
        ("Run", event.run_name),
        ("Status", status(event, now)),
        ("Type", event.expected_type or "unknown"),
        ("Project", f"{event.project} / {event.domain}"),
        ("Event", event.action_name),
    ]
    entries = [f"{label}: {MARKDOWN.text(one_line(text, 500))}" for label, text in details]
    if event.url:
        entries.append(f"Page: {MARKDOWN.text(event.url)}")
    question = _question(MARKDOWN, None, [event])
    return "\n\n".join([MARKDOWN.heading(event.name), *question, MARKDOWN.items(entries)]) + "\n"


def _question(markup: Markup, declared: Declared | None, events: Sequence[Event]) -> list[str]:
    """Return the prompt and the description of the first event that has them."""
    event = next((event for event in events if event.prompt or event.description), None)
    source: Event | Declared | None = declared if event is None else event
    if source is None:
        return []
    blocks = []
    prompts = {other.prompt for other in events if other.pending}
    if event is not None and len(prompts - {None}) > 1:
        blocks.append(f"{markup.code(event.run_name)} asks:")
    if source.prompt:
        blocks.append(markup.quote(source.prompt, source.prompt_type == "markdown"))
    if source.description:
        blocks.append(markup.quote(source.description, is_markdown=False))
    return blocks


def _entry(markup: Markup, event: Event, recent: RecentEvents, now: datetime) -> str:
    phase = recent.phases.get(event.run)
    run = markup.link(event.run_name, event.url)
    of_run = "" if phase is None else f" ({one_line(phase).lower().replace('_', ' ')})"
    return f"{run}{markup.text(f'{of_run}: {status(event, now)}')}"
