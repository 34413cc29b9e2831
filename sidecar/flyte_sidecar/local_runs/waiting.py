"""Waits for a condition of a local run in place of the SDK's own method."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any, NoReturn

from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import SUCCEEDED, TIMED_OUT, Event, NewEvent
from flyte_sidecar.local_runs import notices, sdk
from flyte_sidecar.local_runs.race import Race
from flyte_sidecar.local_runs.recorder import Reached, resume_wait, run_until_wait
from flyte_sidecar.local_runs.run_store import LOCAL, RunStore, selected_store
from flyte_sidecar.local_runs.sdk import SdkNames, Wait
from flyte_sidecar.local_runs.sources import (
    Announcement,
    AnswerSource,
    TerminalAnswer,
    notebook_asks,
)
from flyte_sidecar.local_runs.terminal import has_terminal
from flyte_sidecar.local_runs.tui import TuiAnswer, TuiClosed

MAX_EXPIRY = 10 * 365 * 86400.0
"""Seconds above which the store does not record a timeout: it has dates until the year 9999."""

MIN_EXPIRY = 1.0
"""Seconds before its timeout at which an expired event is not replaced any more."""


async def wait_for_condition(
    controller: Any, condition: Any, original: Wait, names: SdkNames
) -> Any:
    """Return the value of a condition, or raise what the SDK raises.

    If the store cannot be used, the SDK's own method waits. So it does in a notebook whose user it
    can ask: nothing removes the input field of a notebook.

    Parameters
    ----------
    original
        The SDK's own method.
    """
    if notebook_asks():
        return await original(controller, condition)
    async with AsyncExitStack() as stack:
        store = await _usable_store(stack)
        if store is None:
            return await original(controller, condition)
        try:
            return await run_until_wait(controller, condition, original, names)
        except Reached as found:
            reached = found
        wait = _ConditionWait(store, controller._recorder, condition, names, reached)
        event = await wait.resolved_event()
        if event is not None:
            return wait.result(event)
        return await resume_wait(controller, condition, original, names, reached)


async def _usable_store(stack: AsyncExitStack) -> RunStore | None:
    try:
        store = await stack.enter_async_context(selected_store())
        await store.check()
    except (SidecarError, OSError, RuntimeError, ValueError) as error:
        notices.show_unavailable(error)
        return None
    return store


class _ConditionWait:
    """A wait for a condition, at the place where the SDK's method would wait."""

    def __init__(
        self, store: RunStore, recorder: Any, condition: Any, names: SdkNames, reached: Reached
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._condition = condition
        self._names = names
        self._details = reached.details
        self._pending = reached.pending
        self._timeout: float | None = condition._timeout_seconds
        self._process = os.getpid()

    async def resolved_event(self) -> Event | None:
        """Return the event of the condition once it is resolved; None if the store fails."""
        try:
            return await self._wait()
        except TuiClosed:
            self._fail(RuntimeError, "was cancelled (TUI quit).")
        except Exception as error:  # also of what the store cannot represent: unpaired surrogates
            if os.getpid() != self._process:
                raise  # a forked process has left the task
            notices.show_unavailable(error)
            return None

    def result(self, event: Event) -> Any:
        """Record the end of the wait as the SDK does, and return the value or raise the error."""
        if event.phase == TIMED_OUT:
            error_type = sdk.error(self._names.timeout_error)
            self._fail(error_type, f"was not signaled within {self._timeout} seconds.")
        if event.phase != SUCCEEDED:
            reason = f": {event.abort_reason}" if event.abort_reason else ""
            message = f"action {event.action_name} was aborted{reason}"
            self._fail(sdk.error("ActionAbortedError"), message)
        if self._names.is_action:
            action_id = self._details["action_id"]
            self._recorder.record_complete(action_id=action_id, outputs=event.payload)
        return event.payload

    def _fail(self, error_type: type[Exception], what: str) -> NoReturn:
        message = f"{self._names.noun} '{self._condition.name}' {what}"
        if self._names.is_action:
            self._recorder.record_failure(action_id=self._details["action_id"], error=message)
        raise error_type(message) from None

    async def _wait(self) -> Event:
        loop = asyncio.get_running_loop()
        context = sdk.task_context()
        remaining = self._timeout
        deadline = loop.time() + (remaining or 0.0)
        while True:
            new = self._new_event(context, remaining)
            event = await self._store.create(new, sdk.event_id(self._details, self._names))
            race = Race(self._store, event, sdk.task_action(context), self._ask)
            event = await race.first_answer(remaining)
            # The store's clock may be set, and runs while the machine sleeps; the loop's does not.
            remaining = deadline - loop.time()
            if event.phase != TIMED_OUT or remaining < MIN_EXPIRY:
                return event

    def _new_event(self, context: Any, timeout: float | None) -> NewEvent:
        condition, action = self._condition, sdk.task_action(context)
        return NewEvent(
            run=LOCAL.run(action.run_name or action.name),
            name=condition.name,
            parent=action.name,
            group=context.group_data.name if context.group_data else None,
            expected_type=condition.data_type.__name__,
            prompt=condition.prompt,
            prompt_type="markdown" if condition.prompt_type == "markdown" else "text",
            description=condition.description or None,
            expires_in=None if timeout is None or timeout > MAX_EXPIRY else timeout,
        )

    def _ask(self, event: Event) -> AnswerSource:
        """Ask a person at the process of the run."""
        if self._pending is not None:
            tracker = self._recorder._tracker
            return TuiAnswer(tracker, self._details["action_id"], self._pending, self._names)
        return TerminalAnswer(event) if has_terminal() else Announcement(event)
