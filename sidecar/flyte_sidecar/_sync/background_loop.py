"""One event loop in a thread of its own, which the first call starts.

Before the process forks, and when it exits, the thread pauses and all shared resources are closed:
a child process that inherited an open store could lose its commits.
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
from flyte_sidecar._sync.shared_resource import all_resources

T = TypeVar("T")

EXIT_TIMEOUT = 10.0
"""Seconds that the exit of the interpreter waits for open calls."""

INTERRUPT_POLL_INTERVAL = 0.1
"""Seconds between two checks for an interrupt."""


def run_sync(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on the background loop, and block until it has ended.

    An interrupt cancels the coroutine and waits for its end. A second interrupt does not wait.

    Raises
    ------
    RuntimeError
        If called on the background loop itself: that would be a deadlock.
    """
    ended = threading.Lock()  # an interrupt can break a threading.Event, but not a lock
    ended.acquire()
    call = _Call(coroutine, ended.release)
    try:
        call.start()
        _wait(call, ended)
    except BaseException:
        if call.cancel():
            _wait(call, ended)
        raise
    return call.result()


async def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on the background loop, and await it on the loop of the caller.

    Cancelling the caller cancels the coroutine and awaits its end.
    """
    loop = asyncio.get_running_loop()
    if _background is not None and loop is _background.loop:
        return await coroutine
    ended: asyncio.Future[None] = loop.create_future()

    def notify() -> None:
        with suppress(RuntimeError):  # the loop of the caller may be closed
            loop.call_soon_threadsafe(try_set_result, ended, None)

    call = _Call(coroutine, notify)
    try:
        call.start()
        await wait_all([ended])
    except BaseException as error:
        if call.cancel() and isinstance(error, asyncio.CancelledError):
            await wait_all([ended])
        raise
    return call.result()


class _BackgroundLoop:
    """The event loop and its thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.is_stopping = False
        self._stop_requested: asyncio.Future[None] = self.loop.create_future()
        self._pausing: asyncio.Task[None] | None = None
        self._resume = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flyte-sidecar-loop", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            self.loop.close()
            raise

    def is_current(self) -> bool:
        return threading.get_ident() == self._thread.ident

    def pause(self) -> None:
        """Pause all calls and block the thread until `resume`."""
        if not self.is_current():
            self._resume = threading.Event()
            self._start_pause(self._resume).wait()

    def resume(self) -> None:
        self._resume.set()

    def stop(self) -> None:
        """Pause all calls permanently and end the thread."""
        # A caller that still waits is a daemon thread. Its call is not ended: that would only print
        # an error.
        self.is_stopping = True
        self._start_pause(None).wait(EXIT_TIMEOUT)
        self.loop.call_soon_threadsafe(self._stop_requested.set_result, None)
        self._thread.join(EXIT_TIMEOUT)

    def _start_pause(self, resume: threading.Event | None) -> threading.Event:
        """Start a pause, which lasts until `resume` is set, or permanently without it.

        Return an event that is set when all resources are closed.
        """
        paused = threading.Event()

        async def pause() -> None:
            async with AsyncExitStack() as stack:
                try:
                    for resource in [*all_resources]:
                        await stack.enter_async_context(resource.paused())
                finally:
                    paused.set()
                if resume is None:
                    await self.loop.create_future()  # until it is cancelled
                else:
                    resume.wait()

        def start() -> None:
            self._pausing = self.loop.create_task(pause())

        self.loop.call_soon_threadsafe(start)
        return paused

    def _run(self) -> None:
        try:
            self.loop.run_until_complete(self._run_until_stopped())
        finally:
            self.loop.close()

    async def _run_until_stopped(self) -> None:
        await self._stop_requested
        self.loop.set_exception_handler(lambda _loop, _context: None)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await wait_all(tasks, EXIT_TIMEOUT)
        await self.loop.shutdown_asyncgens()


class _Call(Generic[T]):
    """A coroutine on the background loop, which calls `ended` when it has ended."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], ended: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._ended = ended
        self.done = False
        self._task: asyncio.Task[T] | None = None
        try:
            self._background = _get_background()
            if self._background.is_current():
                raise RuntimeError("a blocking call on the background event loop: use .aio")
        except BaseException:
            coroutine.close()
            raise

    def start(self) -> None:
        try:
            self._background.loop.call_soon_threadsafe(self._begin)
        except RuntimeError:  # the loop has ended
            self._coroutine.close()
            _raise_exiting()

    def cancel(self) -> bool:
        """Cancel the coroutine, even before it started. Return whether `ended` will be called."""
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
            self._notify_caller()

    def _finish(self, task: asyncio.Task[T]) -> None:
        retrieve_exception(task)
        if not self._background.is_stopping:
            self._notify_caller()

    def _notify_caller(self) -> None:
        self.done = True
        self._ended()


_background: _BackgroundLoop | None = None
_starting = threading.Lock()
_exiting = False
_inherited_by_child: list[object] = []


def _get_background() -> _BackgroundLoop:
    global _background
    background = _background
    if background is None:
        with _starting:
            if not _exiting:
                background = _background = _background or _BackgroundLoop()
    return background or _raise_exiting()


def _raise_exiting() -> NoReturn:
    if threading.current_thread() is not threading.main_thread():
        # A daemon thread: block it until the interpreter stops it.
        threading.Event().wait()
    raise RuntimeError("the interpreter is exiting")


def _wait(call: _Call[Any], ended: threading.Lock) -> None:
    # Interrupts arrive in the main thread. One just before `acquire` does not end it, and on
    # Windows none does, so the main thread polls.
    is_main = threading.current_thread() is threading.main_thread()
    while not call.done:
        ended.acquire(timeout=INTERRUPT_POLL_INTERVAL if is_main else -1)


def _before_fork() -> None:
    _starting.acquire()
    if _background is not None:
        _background.pause()


def _after_fork_in_parent() -> None:
    if _background is not None:
        _background.resume()
    _starting.release()


def _after_fork_in_child() -> None:
    """Reset the state: the thread does not exist here, and the parent uses its descriptors."""
    global _background, _starting
    # Keep a reference: garbage collection would close descriptors that the parent uses.
    _inherited_by_child.extend([_background, *(resource.reset() for resource in all_resources)])
    _background, _starting = None, threading.Lock()


def _stop_at_exit() -> None:
    global _background, _exiting
    with _starting:
        _exiting, background, _background = True, _background, None
    if background is not None:
        background.stop()


atexit.register(_stop_at_exit)
if sys.platform != "win32":
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
