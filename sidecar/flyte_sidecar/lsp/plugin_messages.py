"""The messages between the language server and the plugins of editors.

A plugin declares in `capabilities.experimental.flyteSidecar` what it does itself. Others get none
of these messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Raw, Struct, json

from flyte_sidecar.events.live.backend_state import Phase
from flyte_sidecar.events.model import Event
from flyte_sidecar.protocol.results import encode

EVENTS = "flyteSidecar/events"
"""The notification that reports the waiting events and their changes."""

ASK = "flyteSidecar/ask"
"""The request to ask the person about an event; the result is null."""


class EventId(Struct, frozen=True, rename="camel"):
    """The members that together identify an event."""

    org: str | None
    project: str | None
    domain: str | None
    run_name: str
    action_name: str


class EventsParams(Struct, frozen=True, kw_only=True):
    """The params of `flyteSidecar/events`. The members apply in this order.

    Attributes
    ----------
    reset
        Whether to forget all events that were reported before.
    backend
        Identifies the backend in the arguments of commands.
    phase, error
        Whether the reported events are up to date, as in `BackendState`.
    waiting
        The events, as JSON, that have started to wait, or have changed while they wait.
    ended
        The events, as JSON, that do not wait any more.
    removed
        The events whose state is not known any more.
    omitted
        Number of waiting events that are not reported, because there are too many.
    """

    reset: bool
    backend: str
    phase: Phase
    error: str | None
    waiting: Sequence[Raw]
    ended: Sequence[Raw]
    removed: Sequence[EventId]
    omitted: int


class AskParams(Struct, frozen=True, kw_only=True):
    """The params of `flyteSidecar/ask`: an event as JSON, and its question as one line."""

    event: Raw
    backend: str
    message: str


def event_id(event: Event) -> EventId:
    """Return what identifies an event."""
    return EventId(event.org, event.project, event.domain, event.run_name, event.action_name)


def event_json(event: Event) -> Raw:
    """Return an event as in the results of `events.get`."""
    return Raw(encode(event))


def params_json(params: EventsParams | AskParams) -> Raw:
    """Return the params of a message as JSON."""
    return Raw(json.encode(params))
