"""Waits for the answer of a condition, which may come from several places.

The store decides: an answer at the terminal or in the TUI is a signal like any other, and the
first signal wins. So an answer that the store has accepted is never lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from msgspec.structs import replace

from flyte_sidecar._futures import wait_all
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import SUCCEEDED, TIMED_OUT, Event, NewEvent, Payload
from flyte_sidecar.local_runs import notices, open_waits, sdk
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
        try:
            store = await stack.enter_async_context(selected_store())
            await store.check()
        except (SidecarError, OSError, RuntimeError, ValueError) as error:
            notices.show_unavailable(error)
            return await original(controller, condition)
        return await _wait_in(store, controller, condition, original, names)


async def _wait_in(
    store: RunStore, controller: Any, condition: Any, original: Wait, names: SdkNames
) -> Any:
    try:
        return await run_until_wait(controller, condition, original, names)
    except Reached as found:
        reached = found
    recorder, action_id = controller._recorder, reached.details["action_id"]
    timeout: float | None = condition._timeout_seconds
    error_type: type[Exception] | None
    try:
        event = await store.create(
            _new_event(condition, timeout), sdk.event_id(reached.details, names)
        )
        ask = partial(_ask, recorder, reached, event, names)
        event = await _Race(store, event, ask).first_answer(timeout)
    except TuiClosed:
        error_type, message = RuntimeError, "was cancelled (TUI quit)."
    except Exception as error:  # also of what the store cannot represent: unpaired surrogates
        notices.show_unavailable(error)
        return await resume_wait(controller, condition, original, names, reached)
    else:
        error_type, message = _failure(event, timeout, names)
    if error_type is None:
        if names.is_action:
            recorder.record_complete(action_id=action_id, outputs=event.payload)
        return event.payload
    message = f"{names.noun} '{condition.name}' {message}"
    if names.is_action:
        recorder.record_failure(action_id=action_id, error=message)
    raise error_type(message)


def _new_event(condition: Any, timeout: float | None) -> NewEvent:
    context = sdk.task_context()
    # Within a trace, `action` is that of the trace.
    parent = getattr(context, "task_action", None) or context.action
    return NewEvent(
        run=LOCAL.run(parent.run_name or parent.name),
        name=condition.name,
        parent=parent.name,
        group=context.group_data.name if context.group_data else None,
        expected_type=condition.data_type.__name__,
        prompt=condition.prompt,
        prompt_type="markdown" if condition.prompt_type == "markdown" else "text",
        description=condition.description or None,
        expires_in=None if timeout is None or timeout > MAX_EXPIRY else timeout,
    )


def _ask(recorder: Any, reached: Reached, event: Event, names: SdkNames) -> AnswerSource:
    """Ask a person at the process of the run, and return the place where the answer arrives."""
    if reached.pending is not None:
        return TuiAnswer(recorder._tracker, reached.details["action_id"], reached.pending, names)
    return TerminalAnswer(event) if has_terminal() else Announcement(event)


def _failure(
    event: Event, timeout: float | None, names: SdkNames
) -> tuple[type[Exception] | None, str]:
    """Return the error of a resolved event and the end of its message; no error if answered."""
    if event.phase == SUCCEEDED:
        return None, ""
    if event.phase == TIMED_OUT:
        return sdk.error(names.timeout_error), f"was not signaled within {timeout} seconds."
    reason = f": {event.abort_reason}" if event.abort_reason else ""
    return sdk.error("ActionAbortedError"), f"action {event.action_name} was aborted{reason}"


class _Race:
    """The wait for the first of all answers to an event.

    Parameters
    ----------
    ask
        Asks a person at the process of the run.
    """

    def __init__(self, store: RunStore, event: Event, ask: Callable[[], AnswerSource]) -> None:
        self._store = store
        self._event = event
        self._ask = ask

    async def first_answer(self, timeout: float | None) -> Event:
        """Return the event once it is resolved. It does not stay pending if this raises an error.

        Raises
        ------
        SidecarError
            If the store can no longer be used, and there is no answer yet.
        TuiClosed
        """
        running = asyncio.ensure_future(self._run(timeout))
        wait = open_waits.OpenWait(self._store, self._event, running)
        open_waits.add(wait)
        try:
            return await running
        except BaseException as error:
            running.cancel()
            await wait.abort(_REASONS.get(type(error), "the run cannot use the store any more"))
            raise
        finally:
            open_waits.remove(wait)

    async def _run(self, timeout: float | None) -> Event:
        source = self._ask()
        resolved = asyncio.ensure_future(self._store.resolved(self._event))
        answered = asyncio.ensure_future(source.answer())
        ended: Event | None = None
        try:
            ended = await self._first(resolved, answered, timeout)
        finally:
            source.close(ended)
            resolved.cancel()
            answered.cancel()
            await wait_all([resolved, answered])
        return ended

    async def _first(
        self,
        resolved: asyncio.Future[Event],
        answered: asyncio.Future[Payload],
        timeout: float | None,
    ) -> Event:
        either: set[asyncio.Future[Any]] = {resolved, answered}
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if resolved.done():
            await open_waits.block_at_exit()
            return resolved.result()
        if answered.done():
            return await self._signal(answered.result())
        return await self._time_out()

    async def _signal(self, payload: Payload) -> Event:
        try:
            return await self._store.signal(self._event, payload)
        except SidecarError as error:
            notices.show_unavailable(error)
            return replace(self._event, phase=SUCCEEDED, pending=False, payload=payload)

    async def _time_out(self) -> Event:
        try:
            return await self._store.time_out(self._event)
        except SidecarError as error:
            notices.show_unavailable(error)
            return replace(self._event, phase=TIMED_OUT, pending=False)


_REASONS: dict[type[BaseException], str] = {
    asyncio.CancelledError: "the task no longer waits",
    TuiClosed: "the TUI was closed",
}
"""Why an event is aborted, by the error that ended its wait."""
