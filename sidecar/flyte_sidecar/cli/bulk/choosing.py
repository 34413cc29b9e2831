"""Lists the events to change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from flyte_sidecar.cli.bulk.action import Action
from flyte_sidecar.cli.bulk.arguments import Choice
from flyte_sidecar.cli.listings import pages_of_pending, report_missing
from flyte_sidecar.cli.quantities import quantity
from flyte_sidecar.events.model import Event, UnavailableBackend
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.events.service import EventService


class Chosen(Struct, frozen=True):
    """The events that match.

    Attributes
    ----------
    events
        Those to change.
    unsuitable
        The number of the others.
    is_complete
        Whether all backends could be read.
    """

    events: Sequence[Event]
    unsuitable: int
    is_complete: bool

    @property
    def note(self) -> str:
        """How many events match that are not changed; empty if there are none."""
        others = quantity(self.unsuitable, "event")
        return f"not included: {others} of another type than bool" if self.unsuitable else ""


async def chosen_events(
    service: EventService, choice: Choice, action: Action, *, keep_texts: bool
) -> Chosen:
    """Return the pending events that match; print of which backends they are missing.

    Parameters
    ----------
    keep_texts
        Whether the events keep texts that no table shows, which may be long.
    """
    now = datetime.now(UTC)
    events: list[Event] = []
    unsuitable = 0
    unavailable: list[UnavailableBackend] = []
    async for page in pages_of_pending(service):
        unavailable = page.unavailable
        for event in page.events:
            if not choice.matches(event, now):
                continue
            if not action.suits(event):
                unsuitable += 1
            elif keep_texts:
                events.append(event)
            else:
                prompt = one_line(event.prompt or "", MAX_TEXT_LENGTH)
                events.append(replace(event, prompt=prompt, description=None))
    report_missing("events", unavailable)
    return Chosen(events, unsuitable, is_complete=not unavailable)
