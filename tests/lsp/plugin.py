"""What a plugin knows of the events, by the rules of `flyteSidecar/events`."""

from __future__ import annotations

from typing import Any

Json = Any

CAPABILITIES = {"experimental": {"flyteSidecar": {"events": True, "asking": True}}}
"""What a plugin declares to do itself."""


class PluginEvents:
    """The events that a plugin shows.

    Attributes
    ----------
    waiting
        The waiting events, by what identifies them.
    ended
        The events that have ended since the last reset, the newest last.
    phases
        The phases of the messages so far.
    """

    def __init__(self) -> None:
        self.waiting: dict[Json, Json] = {}
        self.ended: list[Json] = []
        self.phases: list[str] = []
        self.error: str | None = None
        self.omitted = 0

    def apply(self, params: Json) -> None:
        """Apply the params of a message."""
        if params["reset"]:
            self.waiting.clear()
            self.ended.clear()
        self.backend = params["backend"]
        self.phases.append(params["phase"])
        self.error, self.omitted = params["error"], params["omitted"]
        self.waiting |= {_id(event): event for event in params["waiting"]}
        for event in params["ended"]:
            self.waiting.pop(_id(event), None)
            self.ended.append(event)
        for event in params["removed"]:
            self.waiting.pop(_id(event), None)

    @property
    def names(self) -> set[str]:
        """The names of the waiting events."""
        return {event["name"] for event in self.waiting.values()}

    def argument(self, name: str) -> Json:
        """Return a waiting event of a name as an argument of commands."""
        [event] = [event for event in self.waiting.values() if event["name"] == name]
        return {**event, "backend": self.backend}


def _id(event: Json) -> Json:
    return tuple(event[name] for name in ("org", "project", "domain", "runName", "actionName"))
