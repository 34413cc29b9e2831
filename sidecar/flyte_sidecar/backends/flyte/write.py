"""Signals and aborts, and finding out what became of them."""

from __future__ import annotations

import asyncio
import re

from msgspec.structs import replace

from flyte_sidecar.backends.flyte.read.events import EventReader, timed_out
from flyte_sidecar.backends.flyte.rpc.enums import type_from_name
from flyte_sidecar.backends.flyte.rpc.error_translation import is_unreachable, unconfirmed_attempt
from flyte_sidecar.backends.flyte.rpc.payload_conversion import to_event_payload
from flyte_sidecar.backends.flyte.rpc.retry import retry_write
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.errors import (
    AlreadySignalled,
    EventNotFound,
    PayloadTypeMismatch,
    UnsupportedByBackend,
)
from flyte_sidecar.events.model import ABORTED, SUCCEEDED, Event, Payload, Target
from flyte_sidecar.events.payloads import type_of
from flyte_sidecar.events.service import aborted_again, completed, signalled_again

_MISMATCH = re.compile(r"does not match declared condition type (\w+)")


class EventWriter:
    """Writes to events; raises `RpcError` and the errors of the contract."""

    def __init__(self, service: RunService, reader: EventReader) -> None:
        self._service = service
        self._reader = reader
        self._timing = reader.timing

    async def signal(self, event: Event, payload: Payload) -> Event:
        """Signal an event, and return its state after that."""
        message = to_event_payload(payload)

        async def send() -> None:
            await self._service.signal(event.run, event.action_name, event.parent or "", message)

        with self._reader.mark_write_in_progress(event.run, event.action_name):
            try:
                await retry_write(send, self._timing)
            except RpcError as failure:
                return await self._resolve_failed_signal(event, payload, failure)
            current = await self._read_back(event)
            if current is None or current.pending or current.payload is None:
                current = self._answered(event, payload)
            return current

    async def abort(self, event: Event, reason: str | None) -> Event:
        """Abort an event, and return its state after that."""

        async def send() -> None:
            await self._service.abort(event.run, event.action_name, reason or "")

        async def is_pending() -> bool:
            current = await self._reader.event(event.run, event.action_name)
            return current is not None and current.pending

        with self._reader.mark_write_in_progress(event.run, event.action_name):
            if self._reader.cache.is_chosen(event.run, event.action_name):
                # The cache may lag, and the backend would abort even an answered event.
                current = await self._reader.event(event.run, event.action_name)
                if current is not None and not current.pending:
                    return aborted_again(current)
            try:
                # A second abort would end an event that was answered after the first was lost.
                await retry_write(send, self._timing, is_pending)
            except RpcError as failure:
                return await self._resolve_failed_abort(event, failure)
            current = await self._read_back(event)
            if current is None or current.pending:
                ended = replace(event, phase=ABORTED, pending=False, abort_reason=reason)
                current = self._store(ended)
            return current

    async def _resolve_failed_signal(
        self, event: Event, payload: Payload, failure: RpcError
    ) -> Event:
        """Find out what became of a signal that seems to have failed.

        Raises
        ------
        RpcError
            If that remains unknown, or the signal was rejected for another reason than the
            state of the event.
        """
        status, message = failure.status, failure.message
        lost = unconfirmed_attempt(failure)
        if lost is not None:
            current = await self._read_after_unconfirmed_write(event, failure, lost, behind=True)
        elif status in ("NOT_FOUND", "FAILED_PRECONDITION"):
            current = await self._ended(event, behind="already signalled" in message)
        else:
            current = None
        if current is not None and not current.pending:
            return signalled_again(current, payload)
        if status == "INVALID_ARGUMENT" and (found := _MISMATCH.search(message)):
            declared = type_from_name(found[1]) or event.expected_type
            raise PayloadTypeMismatch(message, expectedType=declared) from failure
        if status == "FAILED_PRECONDITION" and "already signalled" in message:
            raise AlreadySignalled(message, event=self._answered(event, None)) from failure
        if lost is not None and not (status == "NOT_FOUND" and current is None):
            raise failure
        if status in ("NOT_FOUND", "FAILED_PRECONDITION"):
            if "already completed" in message or self._is_overdue(event):
                ended = timed_out(event) if event.expires_at is not None else _failed(event)
                raise completed(self._store(ended)) from failure
            raise EventNotFound(f"there is no {_target(event)}: {message}") from failure
        if status == "UNIMPLEMENTED":
            raise UnsupportedByBackend(
                f"signals require Flyte 2.0.28 or newer: {message}", grpcStatus=status
            ) from failure
        raise failure

    async def _resolve_failed_abort(self, event: Event, failure: RpcError) -> Event:
        """Find out what became of an abort that seems to have failed; raises as above."""
        lost = unconfirmed_attempt(failure)
        if lost is not None:
            current = await self._read_after_unconfirmed_write(event, failure, lost, behind=False)
            if current is not None:
                if current.pending:
                    raise failure
                return aborted_again(current)
        if failure.status == "NOT_FOUND":
            raise EventNotFound(f"there is no {_target(event)}") from failure
        raise failure

    async def _read_after_unconfirmed_write(
        self, event: Event, failure: RpcError, lost: RpcError, *, behind: bool
    ) -> Event | None:
        """Return the event after a write that may have been executed, None if there is none.

        Raises
        ------
        RpcError
            `lost`, if the event cannot be read, or its record lacks the answer.
        """
        unread: Exception | None = None
        try:
            # Where the backend was away for all attempts, there is no use in many more.
            limit = self._timing.read_back_timeout if is_unreachable(failure) else None
            current = await self._ended(event, behind=behind, timeout=limit)
            if current is None or current.phase != SUCCEEDED or current.payload is not None:
                return current
        except (RpcError, TimeoutError) as another:
            unread = another
        if lost is failure:
            raise failure from unread
        raise RpcError(lost.status, f"{lost.message}; the retry failed: {failure}") from unread

    async def _ended(
        self, event: Event, *, behind: bool, timeout: float | None = None
    ) -> Event | None:
        """Return the event once its record shows that it has ended, or as it is after a while.

        `behind` says that the record is sure to follow. Before 2.0.43 a phase never does.
        `timeout` is in seconds, for each read.
        """
        current = None
        delays = self._timing.record_delays
        for delay in delays if behind or self._reader.lister.updates_phases else delays[:1]:
            await asyncio.sleep(delay)
            async with asyncio.timeout(timeout):
                current = await self._reader.event(event.run, event.action_name)
            if current is None:
                return None
            if not current.pending and (current.phase != SUCCEEDED or current.payload is not None):
                break
        return current

    async def _read_back(self, event: Event) -> Event | None:
        """Return the event after a write that succeeded, None where it cannot be read soon."""
        try:
            async with asyncio.timeout(self._timing.read_back_timeout):
                return await self._reader.event(event.run, event.action_name)
        except (RpcError, TimeoutError):
            return None

    def _answered(self, event: Event, payload: Payload | None) -> Event:
        """Return the event with an answer that its record lacks so far."""
        known = None if payload is None else type_of(payload)
        return self._store(
            replace(
                event,
                phase=SUCCEEDED,
                pending=False,
                payload=payload,
                expected_type=event.expected_type or known,
            )
        )

    def _store(self, ended: Event) -> Event:
        return self._reader.cache.update(ended) or ended

    def _is_overdue(self, event: Event) -> bool:
        """Return whether the event's deadline has passed by our clock."""
        return event.expires_at is not None and self._timing.now() > event.expires_at


def _failed(event: Event) -> Event:
    """Return the event as one that ended in a way that its record does not show."""
    return replace(event, phase="FAILED", pending=False)


def _target(event: Event) -> Target:
    return Target(event.run, action_name=event.action_name)
