"""Events that cannot be refreshed, while others of their run can."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from msgspec import Struct

from flyte_sidecar.backends.flyte.rpc.error_translation import as_error, may_recover
from flyte_sidecar.backends.flyte.rpc.rpc_transport import InvalidResponse, RpcError
from flyte_sidecar.backends.flyte.timing import Timing
from flyte_sidecar.errors import InternalError, SidecarError
from flyte_sidecar.events.model import Run

PERSISTENT = 3
"""Failures in a row after which an event alone is affected, and not its run."""

logger = logging.getLogger(__name__)


class Trouble(Struct):
    """An event's failures in a row, and when to try again by the loop's clock."""

    failures: int = 0
    due: float = 0.0


class Troubles:
    """The events of a run whose refresh has failed."""

    def __init__(self, run: Run, address: str, timing: Timing) -> None:
        self._run = run
        self._address = address
        self._timing = timing
        self._events: dict[str, Trouble] = {}

    def passed(self, name: str) -> None:
        """Forget the failures of an event."""
        self._events.pop(name, None)

    def failed(self, failures: Mapping[str, Exception]) -> dict[str, SidecarError]:
        """Count failures; return the errors of the events that nobody should wait for.

        Raises
        ------
        RpcError
            For a failure that, as far as is known, affects more than one event.
        """
        now = asyncio.get_running_loop().time()
        hopeless: dict[str, SidecarError] = {}
        raised: RpcError | None = None
        for name, failure in failures.items():
            trouble = self._events.setdefault(name, Trouble())
            trouble.failures += 1
            lasting = trouble.failures >= PERSISTENT
            delay = self._timing.backoff(trouble.failures)
            trouble.due = now + (self._timing.event_retry_interval if lasting else delay)
            if isinstance(failure, InvalidResponse):
                error = as_error(failure, self._address)
            elif isinstance(failure, RpcError):
                if not (lasting and may_recover(failure)):
                    raised = raised or failure
                continue
            else:
                error = internal_error(
                    failure, f"event {name!r} of run {self._run.name!r}", trouble.failures
                )
            if lasting:
                hopeless[name] = error
        if raised is not None:
            raise raised
        return hopeless

    def due(self) -> list[str]:
        """Return the events to be tried again now."""
        now = asyncio.get_running_loop().time()
        return [name for name, trouble in self._events.items() if trouble.due <= now]

    def next(self) -> float | None:
        """Return when the next event is to be tried again, None if there is none."""
        return min((trouble.due for trouble in self._events.values()), default=None)

    def unsettled(self) -> bool:
        """Return whether a failure may still turn out to be transient."""
        return any(trouble.failures < PERSISTENT for trouble in self._events.values())


def internal_error(fault: Exception, what: str, failures: int = 1) -> InternalError:
    """Return the error for a defect; log it on one line, at the first of its failures in a row."""
    if failures == 1:
        logger.error("internal error, will be retried: %s: %s", what, type(fault).__name__)
        logger.debug("the fault", exc_info=fault)
    error = InternalError(f"{what} cannot be refreshed")
    error.retryable = True
    return error
