"""What can go wrong between a client and the service, on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import grpc

from tests.fake_runservice.actions import Refusal

if TYPE_CHECKING:
    from tests.fake_runservice.streams import Stream


@dataclass
class Faults:
    """All off at first. Methods are named as in the service: ``ListActions``."""

    unavailable: dict[str, int] = field(default_factory=dict)
    """How many of the next calls are refused before they do anything."""

    unavailable_after: dict[str, int] = field(default_factory=dict)
    """How many of the next calls do their work, and then lose their reply."""

    errors: dict[str, tuple[grpc.StatusCode, str]] = field(default_factory=dict)
    """What a method always answers."""

    unimplemented: set[str] = field(default_factory=set)

    delay: dict[str, float] = field(default_factory=dict)
    """Seconds before the work."""

    delay_after: dict[str, float] = field(default_factory=dict)
    """Seconds between the work and the reply."""

    lose_updates: bool | float = False
    """The share of the changes that no watch hears of; first states always arrive."""

    shift: Callable[[], object] | None = None
    """Called when a page of ListActions was made, before it is sent."""

    streams: set[Stream] = field(default_factory=set)
    random: Random = field(default_factory=lambda: Random(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def drop_streams(self) -> None:
        """End all open watches as when the service goes away."""
        self._end(Refusal("UNAVAILABLE", "the watch was dropped"))

    def break_streams(self) -> None:
        """End all open watches as when the service fails."""
        self._end(Refusal("UNKNOWN", "the watch broke"))

    def loses(self) -> bool:
        share = float(self.lose_updates)
        return share > 0 and (share >= 1 or self.random.random() < share)

    def refusal(self, method: str) -> Refusal | None:
        """Give what a call is refused with before it does anything."""
        if method in self.unimplemented:
            return unimplemented(method)
        if self.takes(self.unavailable, method):
            return Refusal("UNAVAILABLE", "the service is away")
        if method in self.errors:
            code, message = self.errors[method]
            return Refusal(code.name, message)
        return None

    def takes(self, counts: dict[str, int], method: str) -> bool:
        """Count one call down, where there is one to count."""
        with self._lock:
            left = counts.get(method, 0)
            if left > 0:
                counts[method] = left - 1
            return left > 0

    def _end(self, refusal: Refusal) -> None:
        for stream in tuple(self.streams):
            stream.end(refusal)


def unimplemented(method: str) -> Refusal:
    name = f"flyteidl2.workflow.RunService.{method}"
    return Refusal("UNIMPLEMENTED", f"{name} is not implemented")
