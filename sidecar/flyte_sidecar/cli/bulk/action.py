"""What a verb does to each of many events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from flyte_sidecar.events.bulk import BulkWrite, EventResults
from flyte_sidecar.events.model import Event


class Action(Struct, frozen=True):
    """What a verb does.

    Attributes
    ----------
    participle
        What an event is afterwards.
    perform
        Performs the writes.
    suits
        Whether it can be done to an event, by its type; it is tried if the type is unknown.
    """

    verb: str
    participle: str
    perform: Callable[[BulkWrite], Awaitable[EventResults]]
    suits: Callable[[Event], bool] = lambda event: True


def answering(payload: bool) -> Action:
    """Return the action that answers bool events."""
    return Action(
        "approve" if payload else "reject",
        "approved" if payload else "rejected",
        lambda bulk: bulk.signal(payload, "bool"),
        suits=lambda event: event.expected_type in ("bool", None),
    )


def aborting(reason: str | None) -> Action:
    """Return the action that aborts events."""
    return Action("abort", "aborted", lambda bulk: bulk.abort(reason))
