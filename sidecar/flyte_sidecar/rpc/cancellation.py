"""Cancelling requests: `$/cancelRequest`, deadlines and the end of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct

from flyte_sidecar.errors import RequestCancelled, SidecarError
from flyte_sidecar.rpc.canonical_ids import canonical_id
from flyte_sidecar.rpc.decode_params import params_decoder
from flyte_sidecar.rpc.requests import Context, Handler, PendingRequest


class _CancelParams(Struct, frozen=True):
    id: Raw


def cancel_handler(in_flight: Mapping[bytes, PendingRequest | None]) -> Handler:
    """Return the handler of `$/cancelRequest`.

    Parameters
    ----------
    in_flight
        The requests without a response, by the canonical form of their ids.
    """

    def handle(params: _CancelParams, _: Context) -> None:
        pending = in_flight.get(canonical_id(bytes(params.id)) or b"")
        if pending is not None and not pending.completed:
            cancel(pending, RequestCancelled("the client cancelled the request"))

    return Handler(params_decoder(_CancelParams), handle, notification=True)


def cancel(pending: PendingRequest, reason: SidecarError) -> None:
    """Cancel the task of a request. A result that it still returns counts."""
    if pending.cancel_reason is not None:
        return
    pending.cancel_reason = reason
    task = pending.task
    coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
    if getattr(coroutine, "cr_suspended", False):
        # The awaited result may have just arrived, and an immediate cancellation would lose it.
        task.get_loop().call_soon(task.cancel)
    else:
        task.cancel()


def cancel_now(pending: PendingRequest, reason: SidecarError) -> None:
    """Cancel the task of a completed request before it runs again.

    Otherwise it could still start a write whose outcome was reported as `none`.
    """
    if pending.cancel_reason is None:
        pending.cancel_reason = reason
        pending.task.cancel()


def outcome_when_interrupted(pending: PendingRequest, reason: SidecarError) -> Any:
    """Return the result or error of a request whose work is cancelled, or takes too long."""
    outcome = pending.deferred.outcome_when_interrupted
    return reason if outcome is None else outcome(reason)
