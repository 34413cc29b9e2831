"""Failures between a client and the service, on request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import grpc

from tests.fake_runservice.actions import StatusError

if TYPE_CHECKING:
    from tests.fake_runservice.watch_queue import WatchQueue

HOLD_TIMEOUT = 60.0
"""Seconds after which a call that a test holds is executed."""


@dataclass
class Faults:
    """None at first. The keys are the names of methods, such as ``ListActions``."""

    unavailable: dict[str, int] = field(default_factory=dict)
    """The number of next calls that fail before they are executed."""

    unavailable_after: dict[str, int] = field(default_factory=dict)
    """The number of next calls that are executed and whose response is lost."""

    errors: dict[str, tuple[grpc.StatusCode, str]] = field(default_factory=dict)
    """The error with which every call of a method fails."""

    unimplemented: set[str] = field(default_factory=set)

    delay: dict[str, float] = field(default_factory=dict)
    """Time before a call is executed, in seconds."""

    delay_after: dict[str, float] = field(default_factory=dict)
    """Time between the execution and the response, in seconds."""

    held: dict[str, threading.Event] = field(default_factory=dict)
    """What calls wait for before they are executed: listings of the actions of a run by its name,
    and details by the id of the action."""

    lose_updates: bool | float = False
    """The share of the changes that watches do not receive; first states always arrive."""

    shift: Callable[[], object] | None = None
    """Called after a page of ListActions was read, before it is sent."""

    streams: set[WatchQueue] = field(default_factory=set)
    random: Random = field(default_factory=lambda: Random(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def drop_streams(self) -> None:
        """End all open watches as if the service stopped."""
        self._end(StatusError("UNAVAILABLE", "the watch was dropped"))

    def break_streams(self) -> None:
        """End all open watches as if the service failed."""
        self._end(StatusError("UNKNOWN", "the watch broke"))

    def expire_streams(self) -> None:
        """End all open watches as if their tokens had expired."""
        self._end(StatusError("UNAUTHENTICATED", "token expired"))

    def loses(self) -> bool:
        share = float(self.lose_updates)
        return share > 0 and (share >= 1 or self.random.random() < share)

    def failure(self, method: str) -> StatusError | None:
        """Return the error with which a call fails before it is executed."""
        if method in self.unimplemented:
            return unimplemented(method)
        if self.count_down(self.unavailable, method):
            return StatusError("UNAVAILABLE", "the service is unavailable")
        if method in self.errors:
            code, message = self.errors[method]
            return StatusError(code.name, message)
        return None

    def count_down(self, counts: dict[str, int], method: str) -> bool:
        """Decrement the method's count; return whether it was positive."""
        with self._lock:
            remaining = counts.get(method, 0)
            if remaining > 0:
                counts[method] = remaining - 1
            return remaining > 0

    def _end(self, error: StatusError) -> None:
        for stream in tuple(self.streams):
            stream.end(error)


def unimplemented(method: str) -> StatusError:
    name = f"flyteidl2.workflow.RunService.{method}"
    return StatusError("UNIMPLEMENTED", f"{name} is not implemented")
