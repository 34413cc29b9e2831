"""The failures of single events: their retries, and when waiting for them ends with an error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from math import inf

from msgspec import Struct

from flyte_sidecar.backends.flyte.rpc.error_translation import as_error, may_recover
from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.errors import InternalError, SidecarError
from flyte_sidecar.events.model import Run

PERSISTENT_FAILURES = 3
"""Consecutive failures after which only the event is affected, and not its run."""

logger = logging.getLogger(__name__)


class Failure(Struct):
    """How often an event failed consecutively, and when to retry it by the loop's clock."""

    failures: int = 0
    due: float = 0.0


class RefreshFailures:
    """The events of a run whose refresh has failed."""

    def __init__(self, run: Run, address: str, timing: Timing) -> None:
        self._run = run
        self._address = address
        self._timing = timing
        self._events: dict[str, Failure] = {}

    def record_success(self, name: str) -> None:
        """Forget the failures of an event."""
        self._events.pop(name, None)

    def record_failures(self, failures: Mapping[str, Exception]) -> dict[str, SidecarError]:
        """Count failures, schedule retries, and return the errors of waits that should end.

        Raises
        ------
        RpcError
            If a failure may affect more than one event.
        """
        now = asyncio.get_running_loop().time()
        permanent: dict[str, SidecarError] = {}
        raised: RpcError | None = None
        for name, failure in failures.items():
            failed = self._events.setdefault(name, Failure())
            failed.failures += 1
            persistent = failed.failures >= PERSISTENT_FAILURES
            delay = self._timing.backoff(failed.failures)
            failed.due = now + (self._timing.event_retry_interval if persistent else delay)
            if isinstance(failure, InvalidResponse):
                error = as_error(failure, self._address)
            elif isinstance(failure, RpcError):
                if not (persistent and may_recover(failure)):
                    raised = raised or failure
                continue
            else:
                error = internal_error(
                    failure, f"event {name!r} of run {self._run.name!r}", failed.failures
                )
            if persistent:
                permanent[name] = error
        if raised is not None:
            raise raised
        return permanent

    def due(self) -> list[str]:
        """Return the events to be retried now."""
        now = asyncio.get_running_loop().time()
        return [name for name, failed in self._events.items() if failed.due <= now]

    def next_due(self) -> float:
        """Return when the next event is to be retried, infinity if there is none."""
        return min((failed.due for failed in self._events.values()), default=inf)

    def may_be_transient(self) -> bool:
        """Return whether any failure may still be transient."""
        return any(failed.failures < PERSISTENT_FAILURES for failed in self._events.values())


def internal_error(exception: Exception, what: str, failures: int = 1) -> InternalError:
    """Return the error for an unexpected exception; log the first of consecutive ones."""
    if failures == 1:
        logger.error("internal error, will be retried: %s: %s", what, type(exception).__name__)
        logger.debug("the exception", exc_info=exception)
    error = InternalError(f"{what} cannot be refreshed")
    error.retryable = True
    return error
