"""Stands in for the SDK's recorder of a run, so that the SDK's own method does the rest.

That method first determines the action id of a condition and records its start. Then it records
that it waits, and waits itself. A stand-in ends it there; another one lets it wait after all.
"""

from __future__ import annotations

import copy
from typing import Any, NoReturn

from flyte_sidecar.local_runs.sdk import SdkNames, Wait


class Reached(BaseException):
    """The SDK's method has reached its wait. No handler for an Exception catches it.

    Attributes
    ----------
    details
        The arguments with which the method records that it waits.
    pending
        The TUI's object for the wait; None without the TUI.
    """

    def __init__(self, details: dict[str, Any], pending: Any) -> None:
        super().__init__()
        self.details = details
        self.pending = pending


class _Recorder:
    """A recorder that passes everything on, except the call before the wait."""

    def __init__(self, recorder: Any, names: SdkNames) -> None:
        self._recorder = recorder
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name == self._names.waiting:
            return self._reach
        return getattr(self._recorder, name)

    def _reach(self, **details: Any) -> NoReturn:
        raise Reached(details, getattr(self._recorder, self._names.waiting)(**details))


class _Resumed:
    """A recorder that has recorded the start of the wait already."""

    def __init__(self, recorder: Any, names: SdkNames, reached: Reached) -> None:
        self._recorder = recorder
        self._action_id = reached.details["action_id"]
        vars(self)[names.waiting] = lambda **_: reached.pending

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorder, name)

    def record_start(self, **_: Any) -> None:
        """Do nothing."""

    def record_complete(self, **details: Any) -> None:
        self._recorder.record_complete(**details | {"action_id": self._action_id})

    def record_failure(self, **details: Any) -> None:
        self._recorder.record_failure(**details | {"action_id": self._action_id})


async def run_until_wait(controller: Any, condition: Any, original: Wait, names: SdkNames) -> Any:
    """Run the SDK's method up to its wait.

    Returns
    -------
    Any
        The value of the condition, if the method ends without the wait.

    Raises
    ------
    Reached
        If the method has reached its wait.
    """
    return await original(
        _with_recorder(controller, _Recorder(controller._recorder, names)), condition
    )


async def resume_wait(
    controller: Any, condition: Any, original: Wait, names: SdkNames, reached: Reached
) -> Any:
    """Let the SDK's method wait after all, without recording the start again."""
    recorder = _Resumed(controller._recorder, names, reached)
    return await original(_with_recorder(controller, recorder), condition)


def _with_recorder(controller: Any, recorder: object) -> Any:
    """Return a controller with another recorder, which shares everything else."""
    found = copy.copy(controller)
    found._recorder = recorder
    return found
