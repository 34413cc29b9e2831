"""Answers and aborts, and finding out what became of them."""

from __future__ import annotations

import asyncio
import re

from msgspec.structs import replace

from sidecar.backends.flyte.client import ATTEMPTS, DEADLINE, RunService, pause
from sidecar.backends.flyte.reading import Reader, now, timed_out
from sidecar.backends.flyte.transport import CallFailed
from sidecar.backends.flyte.words import to_event_payload, type_named
from sidecar.errors import (
    AlreadySignalled,
    EventNotFound,
    PayloadTypeMismatch,
    UnsupportedByBackend,
)
from sidecar.events.model import ABORTED, SUCCEEDED, Event, Payload, Target
from sidecar.events.payload import type_of
from sidecar.events.service import aborted_again, completed, signalled_again

CATCH_UP = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each look at a record that is known to be behind what has happened."""

GLANCE = 2.0
"""Seconds that a look is given at what a write has done: that it was done is known."""

MAY_HAVE_HAPPENED = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "CANCELLED")
"""Answers after which a write may have been carried out all the same."""

_MISMATCH = re.compile(r"does not match declared condition type (\w+)")


class Writer:
    """Writes to events; raises `CallFailed` and the errors of the contract."""

    def __init__(self, service: RunService, reader: Reader) -> None:
        self._service = service
        self._reader = reader

    async def signal(self, event: Event, payload: Payload) -> Event:
        """Answer an event, and give it as it then stands."""
        run = event.run
        message = to_event_payload(payload)
        try:
            await self._service.signal(run, event.action_name, event.parent or "", message)
        except CallFailed as failure:
            return await self._judge(event, payload, failure)
        stands = await self._look_once(event)
        if stands is None or stands.pending or stands.payload is None:
            stands = self._answered(event, payload)
        return stands

    async def abort(self, event: Event, reason: str | None) -> Event:
        """End an event without an answer, and give it as it then stands.

        The backend would abort an answered one too. So a call that was lost is made again only
        after a look.
        """
        run = event.run
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._service.abort(run, event.action_name, reason or "")
                break
            except CallFailed as failure:
                if failure.status == "NOT_FOUND":
                    raise EventNotFound(f"there is no {_target(event)}") from failure
                lost = failure.status in MAY_HAVE_HAPPENED
                stands = await self._look_once(event, DEADLINE) if lost else None
                if stands is not None and not stands.pending:
                    return aborted_again(stands)
                if not lost or attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(pause(attempt))
        stands = await self._look_once(event)
        if stands is None or stands.pending:
            ended = replace(event, phase=ABORTED, pending=False, abort_reason=reason)
            stands = self._keep(ended)
        return stands

    async def _judge(self, event: Event, payload: Payload, failure: CallFailed) -> Event:
        """Find out what stands after a signal that seems to have failed.

        A call that was lost may have been carried out. A refusal tells of what other calls have
        done, and the event's record may be behind it.
        """
        status, said = failure.status, failure.message
        if status == "UNIMPLEMENTED":
            raise UnsupportedByBackend(
                f"this Flyte takes no signals, its releases from 2.0.28 on do: {said}",
                grpcStatus=status,
            ) from failure
        if status == "INVALID_ARGUMENT" and (found := _MISMATCH.search(said)):
            declared = type_named(found[1]) or event.expected_type
            raise PayloadTypeMismatch(said, expectedType=declared) from failure
        if status in ("NOT_FOUND", "FAILED_PRECONDITION"):
            stands = await self._look(event, behind="already signalled" in said)
            if stands is not None and not stands.pending:
                return signalled_again(stands, payload)
            if "already signalled" in said:
                raise AlreadySignalled(said, event=self._answered(event, None)) from failure
            if "already completed" in said or is_overdue(event):
                ended = timed_out(event) if event.expires_at is not None else _failed(event)
                raise completed(self._keep(ended)) from failure
            raise EventNotFound(f"there is no {_target(event)}: {said}") from failure
        if status in MAY_HAVE_HAPPENED:
            stands = await self._look_once(event, DEADLINE)
            if stands is not None and not stands.pending and stands.payload is not None:
                return signalled_again(stands, payload)
        raise failure

    async def _look(self, event: Event, behind: bool) -> Event | None:
        """Give the event as it stands once its record shows that it has ended, if that comes.

        `behind` says that the record is sure to follow. Before 2.0.43 a phase never does.
        """
        stands = None
        for wait in CATCH_UP if behind or self._reader.lister.phases_follow else CATCH_UP[:1]:
            await asyncio.sleep(wait)
            stands = await self._reader.event(event.run, event.action_name)
            if stands is None:
                return None
            if not stands.pending and (stands.phase != SUCCEEDED or stands.payload is not None):
                break
        return stands

    async def _look_once(self, event: Event, timeout: float = GLANCE) -> Event | None:
        """Give the event as it stands, None where that cannot be told soon."""
        try:
            return await self._reader.event(event.run, event.action_name, timeout, attempts=1)
        except CallFailed:
            return None

    def _answered(self, event: Event, payload: Payload | None) -> Event:
        """Give the event as one with this answer, of which its record does not tell yet."""
        known = None if payload is None else type_of(payload)
        return self._keep(
            replace(
                event,
                phase=SUCCEEDED,
                pending=False,
                payload=payload,
                expected_type=event.expected_type or known,
            )
        )

    def _keep(self, event: Event) -> Event:
        return self._reader.memory.keep(event)


def is_overdue(event: Event) -> bool:
    """Tell whether the event is past its time by our clock."""
    return event.expires_at is not None and now() > event.expires_at


def _failed(event: Event) -> Event:
    """Give the event as one that ended in a way of which its record does not tell."""
    return replace(event, phase="FAILED", pending=False)


def _target(event: Event) -> Target:
    return Target(event.run, action_name=event.action_name)
