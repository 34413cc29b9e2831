"""Performs a write; errors say whether it took effect."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from flyte_sidecar._futures import wait_all
from flyte_sidecar.errors import (
    AlreadyCompleted,
    AlreadySignalled,
    PayloadTypeMismatch,
    SidecarError,
)
from flyte_sidecar.events.model import Event, ExpectedType, Payload
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH, outcome, title
from flyte_sidecar.events.payload_text import FORMS
from flyte_sidecar.events.plain_text import one_line
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.write_order import Write

T = TypeVar("T")

NOTHING_CHANGED = "Nothing was changed"
UNKNOWN_OUTCOME = "It is unknown whether this took effect"

SILENT_SECONDS = 0.5
"""Seconds after Ctrl-C before a person is told that the outcome of a write is awaited."""


async def signal(
    service: EventService, event: Event, payload: Payload, payload_type: ExpectedType | None = None
) -> Event:
    """Answer an event, and return its new state.

    Raises
    ------
    SidecarError
        If that fails. The message says whether the answer took effect, and how an event has ended
        that was not answered.
    """
    write = service.write(event.target)
    return await _performed(write, service.signal(write, payload, payload_type))


async def abort(service: EventService, event: Event, reason: str | None) -> Event:
    """Abort an event; raises as `signal`."""
    write = service.write(event.target)
    return await _performed(write, service.abort(write, reason))


async def _performed(write: Write, work: Coroutine[Any, Any, Event]) -> Event:
    performing = asyncio.ensure_future(work)
    try:
        return await result_of(performing)
    except (AlreadySignalled, AlreadyCompleted) as error:
        raise ended_before(error.data["event"]) from None
    except SidecarError as error:
        raise failed(error, write) from None
    except (asyncio.CancelledError, KeyboardInterrupt):  # a second Ctrl-C may interrupt this task
        if write.describe()["outcome"] == "unknown":
            print(f"flyte-sidecar: {UNKNOWN_OUTCOME}.", file=sys.stderr)
        raise


async def result_of(performing: asyncio.Future[T]) -> T:
    """Return the result of writes, even if Ctrl-C has cancelled it and it is known soon after."""
    try:
        return await asyncio.shield(performing)
    except asyncio.CancelledError:
        performing.cancel()
        await wait_all([performing], timeout=SILENT_SECONDS)
        if not performing.done():
            print("flyte-sidecar: waiting for the outcome (Ctrl-C to exit)", file=sys.stderr)
        return await performing


def ended_before(event: Event) -> SidecarError:
    """Return the error of an event that ended otherwise than by this command."""
    kind = AlreadyCompleted if event.payload is None else AlreadySignalled
    return kind(f"{NOTHING_CHANGED}: {outcome(event, earlier=True)}", event=event)


def failed(error: SidecarError, write: Write | None = None) -> SidecarError:
    """Return the error with a message that says whether a write took effect.

    Parameters
    ----------
    write
        The write that failed; None if it was not begun.
    """
    known = "none"
    if write is not None and error.reports_outcome:
        known = {**write.describe(), **error.data}["outcome"]
    effect = NOTHING_CHANGED if known == "none" else UNKNOWN_OUTCOME
    message = f"{effect}: {one_line(error.message, MAX_TEXT_LENGTH)}"
    return type(error)(message, **error.data)


async def signal_bool(service: EventService, event: Event, payload: bool) -> Event:
    """Answer an event that expects a bool; raises as `signal`."""
    expected = event.expected_type
    if expected not in ("bool", None) and event.pending:
        message = f"{title(event)} expects {FORMS[expected]}: answer it with `signal`"
        raise PayloadTypeMismatch(message, expectedType=expected)
    return await signal(service, event, payload, "bool")
