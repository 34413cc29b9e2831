"""Answers and aborts, and finding out what became of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from flyte_sidecar.backends.flyte.read.events import EventReader, now, timed_out
from flyte_sidecar.backends.flyte.rpc.enums import type_from_name
from flyte_sidecar.backends.flyte.rpc.error_translation import is_unreachable, unconfirmed_attempt
from flyte_sidecar.backends.flyte.rpc.payload_conversion import to_event_payload
from flyte_sidecar.backends.flyte.rpc.run_service import ATTEMPTS, RunService, pause
from flyte_sidecar.backends.flyte.rpc.transport import RpcError
from flyte_sidecar.errors import (
    AlreadySignalled,
    EventNotFound,
    PayloadTypeMismatch,
    UnsupportedByBackend,
)
from flyte_sidecar.events.model import ABORTED, SUCCEEDED, Event, Payload, Target
from flyte_sidecar.events.payloads import type_of
from flyte_sidecar.events.service import aborted_again, completed, signalled_again
from flyte_sidecar.events.write_order import is_abandoned

CATCH_UP = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each look at a record that is known to be behind what has happened."""

GLANCE = 2.0
"""Seconds that a look is given at what a write has done: that it was done is known."""

_MISMATCH = re.compile(r"does not match declared condition type (\w+)")


class EventWriter:
    """Writes to events; raises `RpcError` and the errors of the contract."""

    def __init__(self, service: RunService, reader: EventReader) -> None:
        self._service = service
        self._reader = reader

    async def signal(self, event: Event, payload: Payload) -> Event:
        """Answer an event, and give it as it then stands."""
        message = to_event_payload(payload)

        async def send() -> None:
            await self._service.signal(event.run, event.action_name, event.parent or "", message)

        try:
            await self._send(send)
        except RpcError as failure:
            return await self._judge_signal(event, payload, failure)
        stands = await self._look_once(event)
        if stands is None or stands.pending or stands.payload is None:
            stands = self._answered(event, payload)
        return stands

    async def abort(self, event: Event, reason: str | None) -> Event:
        """End an event without an answer, and give it as it then stands."""

        async def send() -> None:
            await self._service.abort(event.run, event.action_name, reason or "")

        async def is_pending() -> bool:
            stands = await self._reader.event(event.run, event.action_name)
            return stands is not None and stands.pending

        try:
            # A second abort would end an event that was answered after the first was lost.
            await self._send(send, is_pending)
        except RpcError as failure:
            return await self._judge_abort(event, failure)
        stands = await self._look_once(event)
        if stands is None or stands.pending:
            ended = replace(event, phase=ABORTED, pending=False, abort_reason=reason)
            stands = self._keep(ended)
        return stands

    async def _send(
        self,
        send: Callable[[], Awaitable[None]],
        may_retry: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Send a write; retry while the backend is away and the client waits.

        Raises
        ------
        RpcError
            The last failure; its `lost` is set if an earlier attempt may have been executed.
        """
        lost: RpcError | None = None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await send()
                return
            except RpcError as failure:
                failure.unconfirmed = lost
                if not is_unreachable(failure) or attempt == ATTEMPTS:
                    raise
                lost = lost or failure
            await asyncio.sleep(pause(attempt))
            try:
                goes_on = may_retry is None or await may_retry()
            except RpcError:
                goes_on = False
            if not goes_on or is_abandoned():
                raise lost

    async def _judge_signal(self, event: Event, payload: Payload, failure: RpcError) -> Event:
        """Find out what became of a signal that seems to have failed.

        Raises
        ------
        RpcError
            If that remains unknown, or the signal was rejected for another reason than the
            state of the event.
        """
        status, said = failure.status, failure.message
        lost = unconfirmed_attempt(failure)
        if lost is not None:
            stands = await self._after_loss(event, failure, lost, behind=True)
        elif status in ("NOT_FOUND", "FAILED_PRECONDITION"):
            stands = await self._look(event, behind="already signalled" in said)
        else:
            stands = None
        if stands is not None and not stands.pending:
            return signalled_again(stands, payload)
        if status == "INVALID_ARGUMENT" and (found := _MISMATCH.search(said)):
            declared = type_from_name(found[1]) or event.expected_type
            raise PayloadTypeMismatch(said, expectedType=declared) from failure
        if status == "FAILED_PRECONDITION" and "already signalled" in said:
            raise AlreadySignalled(said, event=self._answered(event, None)) from failure
        if lost is not None and not (status == "NOT_FOUND" and stands is None):
            raise failure
        if status in ("NOT_FOUND", "FAILED_PRECONDITION"):
            if "already completed" in said or is_overdue(event):
                ended = timed_out(event) if event.expires_at is not None else _failed(event)
                raise completed(self._keep(ended)) from failure
            raise EventNotFound(f"there is no {_target(event)}: {said}") from failure
        if status == "UNIMPLEMENTED":
            raise UnsupportedByBackend(
                f"this Flyte takes no signals, its releases from 2.0.28 on do: {said}",
                grpcStatus=status,
            ) from failure
        raise failure

    async def _judge_abort(self, event: Event, failure: RpcError) -> Event:
        """Find out what became of an abort that seems to have failed; raises as above."""
        lost = unconfirmed_attempt(failure)
        if lost is not None:
            stands = await self._after_loss(event, failure, lost, behind=False)
            if stands is not None:
                if stands.pending:
                    raise failure
                return aborted_again(stands)
        if failure.status == "NOT_FOUND":
            raise EventNotFound(f"there is no {_target(event)}") from failure
        raise failure

    async def _after_loss(
        self, event: Event, failure: RpcError, lost: RpcError, *, behind: bool
    ) -> Event | None:
        """Return the event after a write that may have been executed, None if there is none.

        Raises
        ------
        RpcError
            `lost`, if the event cannot be read, or its record lacks the answer.
        """
        unread: RpcError | None = None
        try:
            # Where the backend was away for all attempts, one more will do.
            attempts = 1 if is_unreachable(failure) else ATTEMPTS
            stands = await self._look(event, behind=behind, attempts=attempts)
            if stands is None or stands.phase != SUCCEEDED or stands.payload is not None:
                return stands
        except RpcError as another:
            unread = another
        if lost is failure:
            raise failure from unread
        raise RpcError(lost.status, f"{lost.message}; the retry failed: {failure}") from unread

    async def _look(self, event: Event, *, behind: bool, attempts: int = ATTEMPTS) -> Event | None:
        """Give the event as it stands once its record shows that it has ended, if that comes.

        `behind` says that the record is sure to follow. Before 2.0.43 a phase never does.
        """
        stands = None
        for wait in CATCH_UP if behind or self._reader.lister.phases_follow else CATCH_UP[:1]:
            await asyncio.sleep(wait)
            stands = await self._reader.event(event.run, event.action_name, attempts=attempts)
            if stands is None:
                return None
            if not stands.pending and (stands.phase != SUCCEEDED or stands.payload is not None):
                break
        return stands

    async def _look_once(self, event: Event) -> Event | None:
        """Give the event as it stands, None where that cannot be told soon."""
        try:
            return await self._reader.event(event.run, event.action_name, GLANCE, attempts=1)
        except RpcError:
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
