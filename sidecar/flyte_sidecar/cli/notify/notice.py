"""A notification of an event, and the port to the channels that deliver notifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from flyte_sidecar.events.delivery_leases import EventName
from flyte_sidecar.events.model import Event

Reason = Literal["waiting", "missed", "reminder"]
"""Why a person is notified: the event has started to wait; it waited already when `notify`
started; or it still waits."""


class Notice(Struct, frozen=True):
    """A notification of an event.

    Attributes
    ----------
    id
        The same for each attempt to deliver it, also by other processes.
    name
        The id of the event's backend, and the event's key.
    """

    id: str
    name: EventName
    event: Event
    reason: Reason


class DeliveryFailed(Exception):
    """A notification could not be delivered. The message contains nothing secret.

    Attributes
    ----------
    retry_after
        Seconds to wait before the next attempt at least; None if the other side asks for none.
    retryable
        Whether another attempt may succeed.
    affects_all
        Whether notifications of other events would fail now too.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        retryable: bool = True,
        affects_all: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.retryable = retryable
        self.affects_all = affects_all


class Channel(Protocol):
    """A way to notify.

    Attributes
    ----------
    name
        What it is, for the log.
    lease_name
        What all processes of a user call it that notify in the same way.
    batch
        Number of notices that it delivers at once at most.
    concurrency
        Number of deliveries at once.
    pause
        Seconds between two deliveries, in which further events are collected for the next one.
    """

    @property
    def name(self) -> str: ...
    @property
    def lease_name(self) -> str: ...
    @property
    def batch(self) -> int: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def pause(self) -> float: ...

    async def deliver(self, notices: Sequence[Notice]) -> None:
        """Deliver notices, all or none.

        If it is cancelled, it leaves no process behind.

        Raises
        ------
        DeliveryFailed
        """

    async def withdraw(self, names: Sequence[EventName]) -> None:
        """Withdraw what is shown about events that no longer wait, where that is possible."""

    async def close(self) -> None:
        """Release all resources."""
