"""Blocking calls that may never return, in a thread that does not keep the process alive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonCalls:
    """Runs calls one at a time in a daemon thread, and abandons a call that takes too long.

    While an abandoned call still runs, further calls fail at once, so that no threads pile up.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._thread: Thread | None = None
        self._abandoned: Future[Any] | None = None

    async def run(self, function: Callable[[], T], timeout: float) -> T:
        """Return the result of a call, or raise its exception.

        Parameters
        ----------
        timeout
            Seconds until the call is abandoned.

        Raises
        ------
        TimeoutError
            If the call takes too long, or an abandoned one still runs.
        RuntimeError
            If no thread can be started.
        """
        if self._abandoned is not None and not self._abandoned.done():
            raise TimeoutError
        self._start()
        call: Future[T] = Future()
        self._queue.put((call, function))
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.wrap_future(call)
        except TimeoutError:
            if call.running():
                self._abandoned = call
            raise

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            thread = Thread(target=self._work, name=self._name, daemon=True)
            thread.start()
            self._thread = thread

    def _work(self) -> None:
        while True:
            call, function = self._queue.get()
            if call.set_running_or_notify_cancel():
                try:
                    call.set_result(function())
                except BaseException as error:
                    call.set_exception(error)
