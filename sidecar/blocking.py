"""Methods that block when called, and are asynchronous under ``.aio``.

The work runs on one event loop in a thread of its own, which starts with the first call.
The synchronicity package does this too, but it needs generated stubs to be typed exactly, does
not survive a fork, and takes two to three times as long a call and 10 ms more to import.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import inspect
import os
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)

Pages = AsyncGenerator[Sequence[T], None]
"""What a paging method gives; its callers see single items, and wait once a page."""

PATIENCE = 10.0
"""Seconds that the interpreter's exit waits for what is under way."""


class Both(Protocol[P, T_co]):
    """A method in both its forms."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T_co]: ...


class BothIterate(Protocol[P, T_co]):
    """A method that iterates, in both its forms."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Items[T_co]: ...

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> AsyncItems[T_co]: ...


class blocking(Generic[P, T]):  # noqa: N801  a decorator, as property is
    """Give an asynchronous method its two forms; goes above ``@classmethod``.

    Examples
    --------
    >>> class Clock:
    ...     @blocking
    ...     async def tick(self) -> int:
    ...         return 1
    >>> Clock().tick()
    1
    >>> asyncio.run(Clock().tick.aio())
    1
    """

    def __init__(self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        self.__doc__ = method.__doc__
        self._method = method

    def __get__(self, instance: object, owner: type) -> Both[P, T]:
        bound = _bound(self._method, instance, owner)

        @functools.wraps(bound)
        def call(*args: Any, **kwargs: Any) -> T:
            coroutine: Coroutine[Any, Any, T] = bound(*args, **kwargs)
            return run(coroutine)

        @functools.wraps(bound)
        async def aio(*args: Any, **kwargs: Any) -> T:
            coroutine: Coroutine[Any, Any, T] = bound(*args, **kwargs)
            return await bridge(coroutine)

        vars(call).update(aio=aio)
        return cast("Both[P, T]", call)


class paging(Generic[P, T]):  # noqa: N801
    """Give a method of `Pages` its two forms, which iterate over single items."""

    def __init__(self, method: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self.__doc__ = method.__doc__
        self._method = method

    def __get__(self, instance: object, owner: type) -> BothIterate[P, T]:
        bound = _bound(self._method, instance, owner)

        @functools.wraps(bound)
        def call(*args: Any, **kwargs: Any) -> Items[T]:
            return Items(bound(*args, **kwargs))

        @functools.wraps(bound)
        def aio(*args: Any, **kwargs: Any) -> AsyncItems[T]:
            return AsyncItems(bound(*args, **kwargs))

        function, is_bound = getattr(bound, "__func__", bound), bound is not self._method
        vars(call).update(aio=aio, __signature__=_signature(function, is_bound, "Iterator"))
        vars(aio).update(__signature__=_signature(function, is_bound, "AsyncIterator"))
        return cast("BothIterate[P, T]", call)


class Items(Iterator[T_co]):
    """The single items of pages. Dropped early, the background loop closes the pages."""

    def __init__(self, pages: Pages[T_co]) -> None:
        self._pages = pages
        self._page: Iterator[T_co] = iter(())

    def __next__(self) -> T_co:
        while True:
            for item in self._page:
                return item
            page = run(_next(self._pages))
            if page is None:
                raise StopIteration
            self._page = iter(page)

    def close(self) -> None:
        """Give no more items."""
        self._page = iter(())
        run(self._pages.aclose())


class AsyncItems(AsyncIterator[T_co]):
    """As `Items`, from asyncio; no generator, as the caller's loop may end before its end."""

    def __init__(self, pages: Pages[T_co]) -> None:
        self._pages = pages
        self._page: Iterator[T_co] = iter(())

    async def __anext__(self) -> T_co:
        while True:
            for item in self._page:
                return item
            page = await bridge(_next(self._pages))
            if page is None:
                raise StopAsyncIteration
            self._page = iter(page)

    async def aclose(self) -> None:
        """Give no more items."""
        self._page = iter(())
        await bridge(self._pages.aclose())


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
            loop.call_soon_threadsafe(_set, ended)

    work = _Work(coroutine, tell)
    try:
        work.start()
        await asyncio.wait([ended])
    except BaseException as error:
        if work.cancel() and isinstance(error, asyncio.CancelledError):
            await asyncio.wait([ended])
        raise
    return work.result()


class Shared(Generic[T]):
    """What all calls share: opened for the first, closed while the process forks or ends.

    It lives on the background loop.

    Parameters
    ----------
    make
        Opens it.
    close
        Closes it; nobody uses it any more.
    """

    def __init__(
        self, make: Callable[[], T], close: Callable[[T], Coroutine[Any, Any, None]]
    ) -> None:
        self.make = make
        self._close = close
        self._open: T | None = None
        self.start_afresh()
        _shared.append(self)

    def start_afresh(self) -> T | None:
        """Forget what is open and who uses it; gives what is still open."""
        left, self._open = self._open, None
        self._users = 0
        self._brief: set[asyncio.Task[Any]] = set()
        self._pausing = False
        self._turn = asyncio.Lock()
        self._unused = asyncio.Event()
        return left

    @asynccontextmanager
    async def use(self) -> AsyncIterator[T]:
        """Open it if it is not open, and keep it open meanwhile."""
        async with self._turn:
            if self._open is None:
                self._open = self.make()
            its = self._open
            self._users += 1
        try:
            yield its
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    def until_pause(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start work that may take long: a pause cancels it, and its user is to leave then."""
        task = asyncio.get_running_loop().create_task(work)
        self._brief.add(task)
        task.add_done_callback(self._brief.discard)
        task.add_done_callback(_note_failure)
        if self._pausing:
            task.cancel()
        return task

    async def change(self, make: Callable[[], T]) -> None:
        """Close it, and have it made in another way from now on."""
        async with self.paused():
            self.make = make

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Keep it closed: users leave first, new ones wait."""
        async with self._turn:
            self._pausing = True
            try:
                for task in self._brief:
                    task.cancel()
                while self._users:
                    self._unused.clear()
                    await self._unused.wait()
            finally:
                self._pausing = False
            its, self._open = self._open, None
            if its is not None:
                # A caller that leaves must not leave it half closed.
                await asyncio.shield(self._close(its))
            yield


class _Background:
    """The event loop and its thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.quiet = False
        self._stop: asyncio.Future[None] = self.loop.create_future()
        self._pausing: asyncio.Task[None] | None = None
        self._go_on = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sidecar-loop", daemon=True)
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
                    for each in _shared:
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
        if left:
            await asyncio.wait(left, timeout=PATIENCE)
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
        _note_failure(task)
        if not self._background.quiet:
            self._tell()

    def _tell(self) -> None:
        self.done = True
        self._ended()


_background: _Background | None = None
_starting = threading.Lock()
_exiting = False
_shared: list[Shared[Any]] = []
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
    while not work.done:
        # On Windows an interrupt does not end a wait, so there it is made in slices.
        ended.acquire(timeout=0.1 if sys.platform == "win32" else -1)


def _set(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


def _note_failure(task: asyncio.Task[Any]) -> None:
    """Mark the failure as seen: whoever asked may have left."""
    if not task.cancelled():
        task.exception()


def _bound(method: Any, instance: object, owner: type) -> Callable[..., Any]:
    bound: Callable[..., Any] = method.__get__(instance, owner)
    return bound


@functools.cache
def _signature(function: Callable[..., Any], is_bound: bool, gives: str) -> inspect.Signature:
    """Give the signature of a paging method as its caller sees it: without the pages."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[is_bound:]
    given = signature.return_annotation.replace("Pages[", f"{gives}[")
    return signature.replace(parameters=parameters, return_annotation=given)


async def _next(pages: Pages[T]) -> Sequence[T] | None:
    return await anext(pages, None)


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
    _left_behind.extend([_background, *(each.start_afresh() for each in _shared)])
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
