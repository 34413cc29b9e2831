"""Signals and aborts; after a failure, the event is read to find out whether they were executed."""

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
from flyte_sidecar.events.model import ABORTED, SUCCEEDED, Event, Payload
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
        """Signal an event, and return its new state."""
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
        """Abort an event, and return its new state."""

        async def send() -> None:
            await self._service.abort(event.run, event.action_name, reason or "")

        async def is_pending() -> bool:
            current = await self._reader.event(event.run, event.action_name)
            return current is not None and current.pending

        with self._reader.mark_write_in_progress(event.run, event.action_name):
            if self._reader.cache.used_since_update(event.run, event.action_name):
                # The cache may be stale, and the backend aborts even an answered event.
                current = await self._reader.event(event.run, event.action_name)
                if current is not None and not current.pending:
                    return aborted_again(current)
            try:
                # A retry must not abort an event that was answered after the first attempt.
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
        """Return the event if a failed signal was executed after all.

        Raises
        ------
        RpcError
            If it is unknown whether the signal was executed, or if it was rejected for another
            reason than the state of the event.
        SidecarError
            If it was rejected because of the state of the event, or of the payload's type.
        """
        status, message = failure.status, failure.message
        unconfirmed = unconfirmed_attempt(failure)
        if unconfirmed is not None:
            current = await self._read_after_unconfirmed_write(
                event, failure, unconfirmed, record_may_lag=True
            )
        elif status in ("NOT_FOUND", "FAILED_PRECONDITION"):
            current = await self._read_end(event, record_may_lag="already signalled" in message)
        else:
            current = None
        if current is not None and not current.pending:
            return signalled_again(current, payload)
        if status == "INVALID_ARGUMENT" and (found := _MISMATCH.search(message)):
            declared = type_from_name(found[1]) or event.expected_type
            raise PayloadTypeMismatch(message, expectedType=declared) from failure
        if status == "FAILED_PRECONDITION" and "already signalled" in message:
            raise AlreadySignalled(message, event=self._answered(event, None)) from failure
        if unconfirmed is not None and not (status == "NOT_FOUND" and current is None):
            raise failure
        if status in ("NOT_FOUND", "FAILED_PRECONDITION"):
            if "already completed" in message or self._is_overdue(event):
                ended = timed_out(event) if event.expires_at is not None else _failed(event)
                raise completed(self._store(ended)) from failure
            raise EventNotFound(f"there is no {event.target}: {message}") from failure
        if status == "UNIMPLEMENTED":
            raise UnsupportedByBackend(
                f"signals require Flyte 2.0.28 or newer: {message}", grpcStatus=status
            ) from failure
        raise failure

    async def _resolve_failed_abort(self, event: Event, failure: RpcError) -> Event:
        """Return the event if a failed abort was executed after all; raises likewise."""
        unconfirmed = unconfirmed_attempt(failure)
        if unconfirmed is not None:
            current = await self._read_after_unconfirmed_write(
                event, failure, unconfirmed, record_may_lag=False
            )
            if current is not None:
                if current.pending:
                    raise failure
                return aborted_again(current)
        if failure.status == "NOT_FOUND":
            raise EventNotFound(f"there is no {event.target}") from failure
        raise failure

    async def _read_after_unconfirmed_write(
        self, event: Event, failure: RpcError, unconfirmed: RpcError, *, record_may_lag: bool
    ) -> Event | None:
        """Return the event after a write that may have been executed; None if there is none.

        Raises
        ------
        RpcError
            `unconfirmed`, if the event cannot be read, or its record lacks the answer.
        """
        read_failure: Exception | None = None
        try:
            # If the backend was unreachable for all attempts, the reads must not retry for long.
            timeout = self._timing.read_back_timeout if is_unreachable(failure) else None
            current = await self._read_end(event, record_may_lag=record_may_lag, timeout=timeout)
            if current is None or current.phase != SUCCEEDED or current.payload is not None:
                return current
        except (RpcError, TimeoutError) as error:
            read_failure = error
        if unconfirmed is failure:
            raise failure from read_failure
        message = f"{unconfirmed.message}; the retry failed: {failure}"
        raise RpcError(unconfirmed.status, message) from read_failure

    async def _read_end(
        self, event: Event, *, record_may_lag: bool, timeout: float | None = None
    ) -> Event | None:
        """Read the event until its record shows its end, at most once for each of `record_delays`.

        Parameters
        ----------
        record_may_lag
            Whether the record may show the end later. The phase does, except before 2.0.43.
        timeout
            Of each read, in seconds.
        """
        current = None
        delays = self._timing.record_delays
        for delay in delays if record_may_lag or self._reader.lister.updates_phases else delays[:1]:
            await asyncio.sleep(delay)
            async with asyncio.timeout(timeout):
                current = await self._reader.event(event.run, event.action_name)
            if current is None:
                return None
            if not current.pending and (current.phase != SUCCEEDED or current.payload is not None):
                break
        return current

    async def _read_back(self, event: Event) -> Event | None:
        """Return the event after a write that succeeded; None if it cannot be read in time."""
        try:
            async with asyncio.timeout(self._timing.read_back_timeout):
                return await self._reader.event(event.run, event.action_name)
        except (RpcError, TimeoutError):
            return None

    def _answered(self, event: Event, payload: Payload | None) -> Event:
        """Store and return the event with an answer that its record does not contain yet."""
        answer_type = None if payload is None else type_of(payload)
        return self._store(
            replace(
                event,
                phase=SUCCEEDED,
                pending=False,
                payload=payload,
                expected_type=event.expected_type or answer_type,
            )
        )

    def _store(self, ended: Event) -> Event:
        return self._reader.cache.update(ended) or ended

    def _is_overdue(self, event: Event) -> bool:
        """Return whether the event's deadline has passed by this machine's clock."""
        return event.expires_at is not None and self._timing.now() > event.expires_at


def _failed(event: Event) -> Event:
    """Return the event as failed: it ended in a way that its record does not show."""
    return replace(event, phase="FAILED", pending=False)
