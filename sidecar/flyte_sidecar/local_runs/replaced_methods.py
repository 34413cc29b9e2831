"""The methods of the SDK's local controller that are replaced."""

from __future__ import annotations

import functools
import inspect
import sys
from types import ModuleType
from typing import Any

from flyte_sidecar.local_runs import sdk


def serve_conditions(module: ModuleType) -> None:
    """Replace the methods of the local controller in its module.

    Raises
    ------
    AttributeError, LookupError, TypeError
        If the SDK does not have the expected structure; nothing is changed then.
    """
    controller, recorder = module.LocalController, module.RunRecorder
    names = next(
        (names for names in (sdk.CONDITION, sdk.EVENT) if hasattr(controller, names.wait)), None
    )
    if names is None:
        raise LookupError("the local controller has no method that waits for a condition")
    original: sdk.Wait = getattr(controller, names.wait)
    finalize: sdk.Wait = controller.finalize_parent_action
    for method in (original, finalize):
        if (
            not inspect.iscoroutinefunction(method)
            or len(inspect.signature(method).parameters) != 2
        ):
            raise TypeError(f"{method.__qualname__} is not a coroutine function of one argument")
    expected = {names.name, "action_id", "prompt", "prompt_type", "data_type", "description"}
    if not expected <= {*inspect.signature(getattr(recorder, names.waiting)).parameters}:
        raise TypeError(f"RunRecorder.{names.waiting} has other parameters")
    if not (callable(recorder.record_complete) and callable(recorder.record_failure)):
        raise TypeError("RunRecorder does not record the end of an action")
    sdk.error(names.timeout_error)
    sdk.error("ActionAbortedError")

    @functools.wraps(original)
    async def wait(self: Any, condition: Any) -> Any:
        from flyte_sidecar.local_runs.waiting import wait_for_condition

        return await wait_for_condition(self, condition, original, names)

    @functools.wraps(finalize)
    async def finalize_parent_action(self: Any, action: Any) -> Any:
        open_waits = sys.modules.get("flyte_sidecar.local_runs.open_waits")
        if open_waits is not None:  # else there was no wait yet
            await open_waits.end_waits(action)
        return await finalize(self, action)

    setattr(controller, names.wait, wait)
    controller.finalize_parent_action = finalize_parent_action
