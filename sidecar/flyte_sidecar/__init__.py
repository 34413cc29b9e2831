"""See and answer the events of Flyte runs.

>>> from flyte_sidecar import Event
>>> event = Event.get("approve", run_name="r1")
>>> event.signal(True)

The public modules are:

    flyte_sidecar          init, Event (also named Condition), EventPayload, errors
    flyte_sidecar.errors   every error, in families that callers can catch
    flyte_sidecar.event    Event, EventPayload
    flyte_sidecar.client   an asyncio client of a sidecar process
    flyte_sidecar.testing  answers for the conditions of local runs in tests

All other modules are internal and may change in any release. Every name is imported at its first
use, because the command needs none of them and starts several times as fast without them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flyte_sidecar import errors
    from flyte_sidecar._init import init
    from flyte_sidecar.event import Event, EventPayload

    Condition = Event

    __version__: str

__all__ = ["Condition", "Event", "EventPayload", "__version__", "errors", "init"]

_DEFINED_AS = {"Condition": "Event"}
"""The SDK's names of a class, and ours: it renamed `Event` to `Condition` in 2.5."""

if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            found = import_module("flyte_sidecar._version").VERSION
        elif name == "errors":
            found = import_module("flyte_sidecar.errors")
        elif name == "init":
            found = import_module("flyte_sidecar._init").init
        elif name in __all__:
            found = getattr(import_module("flyte_sidecar.event"), _DEFINED_AS.get(name, name))
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted(__all__)
