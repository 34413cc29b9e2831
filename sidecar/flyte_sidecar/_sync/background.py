"""One event loop in a thread of its own, which starts with the first call.

Before the process forks, and when it ends, the thread pauses with everything shared closed:
a child that inherited an open store could lose its commits.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any, Generic, NoReturn, TypeVar

from flyte_sidecar._futures import retrieve_exception, try_set_result, wait_all
from flyte_sidecar._sync import shared

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds that the interpreter's exit waits for what is under way."""

LOOK_UP = 0.1
"""Seconds for which an interrupt may go unnoticed."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on the background loop and wait for it.

    An interrupted wait cancels the coroutine and lets it end; interrupted again, it leaves.

    Raises
    ------
    RuntimeError
        If called on the background loop, which would wait for itself.
    """
    ended = threading.Lock()  # an interrupt can break a threading.Event, but not a lock
    ended.acquire()
    work = _Work(coroutine, ended.release)
    try:
        work.start()
        _wait(work, ended)
    except BaseException:
        if work.cancel():
            _wait(work, ended)
        raise
    return work.result()


async def bridge(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on the background loop and await it on the caller's.

    Cancelling the caller cancels the coroutine; the caller goes on once it has ended.
    """
    loop = asyncio.get_running_loop()
    if _background is not None and loop is _background.loop:
        return await coroutine
    ended: asyncio.Future[None] = loop.create_future()

    def tell() -> None:
        with suppress(RuntimeError):  # the caller's loop may have been closed
            loop.call_soon_threadsafe(try_set_result, ended, None)

    work = _Work(coroutine, tell)
    try:
        work.start()
        await asyncio.wait([ended])
    except BaseException as error:
        if work.cancel() and isinstance(error, asyncio.CancelledError):
            await asyncio.wait([ended])
        raise
    return work.result()


class _Background:
    """The event loop and its thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.quiet = False
        self._stop: asyncio.Future[None] = self.loop.create_future()
        self._pausing: asyncio.Task[None] | None = None
        self._go_on = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flyte-sidecar-loop", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self.loop.close()
            raise

    def is_current(self) -> bool:
        return threading.get_ident() == self._thread.ident

    def park(self) -> None:
        """Pause the work and hold the thread, until `go_on`."""
        if not self.is_current():
            self._go_on = threading.Event()
            self._pause(self._go_on).wait()

    def go_on(self) -> None:
        self._go_on.set()

    def end(self) -> None:
        """Pause the work for good and end the thread."""
        # Who still waits is a daemon thread: woken now, it could only fail, and print that.
        self.quiet = True
        self._pause(None).wait(PATIENCE)
        self.loop.call_soon_threadsafe(self._stop.set_result, None)
        self._thread.join(PATIENCE)

    def _pause(self, go_on: threading.Event | None) -> threading.Event:
        """Pause until `go_on`, for good if there is none; gives what is set once it has begun."""
        paused = threading.Event()

        async def pause() -> None:
            async with AsyncExitStack() as stack:
                try:
                    for each in shared.every:
                        await stack.enter_async_context(each.paused())
                finally:
                    paused.set()
                if go_on is None:
                    await self.loop.create_future()  # until everything is cancelled
                else:
                    go_on.wait()

        def start() -> None:
            self._pausing = self.loop.create_task(pause())

        self.loop.call_soon_threadsafe(start)
        return paused

    def _run(self) -> None:
        try:
            self.loop.run_until_complete(self._serve())
        finally:
            self.loop.close()

    async def _serve(self) -> None:
        await self._stop
        self.loop.set_exception_handler(lambda _loop, _context: None)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await wait_all(left, PATIENCE)
        await self.loop.shutdown_asyncgens()


class _Work(Generic[T]):
    """A coroutine on the background loop for a caller elsewhere; `ended` tells the caller."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], ended: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._ended = ended
        self.done = False
        self._task: asyncio.Task[T] | None = None
        try:
            self._background = _started()
            if self._background.is_current():
                raise RuntimeError("a blocking call on sidecar's own event loop: use .aio")
        except BaseException:
            coroutine.close()
            raise

    def start(self) -> None:
        try:
            self._background.loop.call_soon_threadsafe(self._begin)
        except RuntimeError:  # the loop has ended
            self._coroutine.close()
            _refuse()

    def cancel(self) -> bool:
        """Cancel it, even before it began; gives whether its end will be told."""
        try:
            self._background.loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:
            return False
        return True

    def result(self) -> T:
        assert self._task is not None
        return self._task.result()

    def _begin(self) -> None:
        self._task = self._background.loop.create_task(self._coroutine)
        self._task.add_done_callback(self._finish)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            self._coroutine.close()
            self._tell()

    def _finish(self, task: asyncio.Task[T]) -> None:
        retrieve_exception(task)
        if not self._background.quiet:
            self._tell()

    def _tell(self) -> None:
        self.done = True
        self._ended()


_background: _Background | None = None
_starting = threading.Lock()
_exiting = False
_left_behind: list[object] = []


def _started() -> _Background:
    global _background
    background = _background
    if background is None:
        with _starting:
            if not _exiting:
                background = _background = _background or _Background()
    return background or _refuse()


def _refuse() -> NoReturn:
    if threading.current_thread() is not threading.main_thread():
        # A daemon thread, which the interpreter is about to stop in the same way.
        threading.Event().wait()
    raise RuntimeError("the interpreter is exiting")


def _wait(work: _Work[Any], ended: threading.Lock) -> None:
    # The main thread takes the interrupts. One that comes just before a wait does not end it,
    # on Windows none does: so it looks up now and then.
    is_main = threading.current_thread() is threading.main_thread()
    while not work.done:
        ended.acquire(timeout=LOOK_UP if is_main else -1)


def _before_fork() -> None:
    _starting.acquire()
    if _background is not None:
        _background.park()


def _after_fork_in_parent() -> None:
    if _background is not None:
        _background.go_on()
    _starting.release()


def _after_fork_in_child() -> None:
    """Start afresh: the thread is not here, and the loop's descriptors are the parent's too."""
    global _background, _starting
    # To close these, as their garbage collection would, would reach into the parent's.
    _left_behind.extend([_background, *(each.start_afresh() for each in shared.every)])
    _background, _starting = None, threading.Lock()


def _end() -> None:
    global _background, _exiting
    with _starting:
        _exiting, background, _background = True, _background, None
    if background is not None:
        background.end()


atexit.register(_end)
if sys.platform != "win32":
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
