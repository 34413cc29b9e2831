"""Helpers for asyncio's futures that the standard library lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from types import CoroutineType
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")

MaybeAwaitable: TypeAlias = T | Coroutine[Any, Any, T] | asyncio.Future[T]
"""A result, or a coroutine or future of it.

A read that can be answered immediately returns the value itself. That spares the request a Task,
which costs more than an indexed read.
"""

AWAITABLE = (CoroutineType, asyncio.Future)
"""The types of a `MaybeAwaitable` that has to be awaited."""


async def resolve(result: MaybeAwaitable[T]) -> T:
    """Return a result, and await it first if necessary."""
    if isinstance(result, AWAITABLE):
        return cast(T, await result)
    return cast(T, result)


def try_set_result(future: asyncio.Future[T], result: T) -> None:
    """Set a future's result unless the future is done."""
    if not future.done():
        future.set_result(result)


def try_set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    """Set a future's exception unless the future is done."""
    if not future.done():
        future.set_exception(error)


def retrieve_exception(future: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a done future, as a done callback.

    Without it asyncio logs "exception was never retrieved" when nobody awaits the future any more.
    """
    if not future.cancelled():
        future.exception()


async def prefer_result(future: asyncio.Future[T]) -> T:
    """Await a future; a result that arrives together with a cancellation of the caller wins."""
    try:
        return await future
    except asyncio.CancelledError:
        if future.done() and not future.cancelled():
            return future.result()
        raise


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread, or at once if no thread can be started."""
    loop = asyncio.get_running_loop()
    try:
        running = loop.run_in_executor(None, partial(function, *args, **kwargs))
    except RuntimeError:
        return function(*args, **kwargs)
    return await running


async def wait_all(futures: Iterable[asyncio.Future[Any]], timeout: float | None = None) -> None:
    """Wait until all futures are done, however they end, for at most `timeout` seconds.

    Raises none of their exceptions. Cancelling the caller does not cancel them.
    """
    pending = {*futures}
    if pending:
        await asyncio.wait(pending, timeout=timeout)
