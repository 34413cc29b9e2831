"""Decorators that make the blocking and the asynchronous version of a method."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

from flyte_sidecar._sync.background_loop import run_async, run_sync

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Pages = AsyncGenerator[Sequence[T], None]
"""What a method returns that lists items in pages. Its callers iterate over single items."""


class Syncified(Protocol[P, T_co]):
    """A method that blocks, with its asynchronous version."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T_co]: ...


class SyncifiedPages(Protocol[P, T_co]):
    """A method that returns an iterator, with its asynchronous version."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> PageIterator[T_co]: ...

    def aio(self, *args: P.args, **kwargs: P.kwargs) -> AsyncPageIterator[T_co]: ...


class syncify(Generic[P, T]):  # noqa: N801  a decorator, as property is
    """Make an asynchronous method block when called; ``.aio`` is its asynchronous version.

    Write it above ``@classmethod``.

    Examples
    --------
    >>> class Clock:
    ...     @syncify
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

    def __get__(self, instance: object, owner: type) -> Syncified[P, T]:
        bound = _bound(self._method, instance, owner)

        @functools.wraps(bound)
        def call(*args: Any, **kwargs: Any) -> T:
            coroutine: Coroutine[Any, Any, T] = bound(*args, **kwargs)
            return run_sync(coroutine)

        @functools.wraps(bound)
        async def aio(*args: Any, **kwargs: Any) -> T:
            coroutine: Coroutine[Any, Any, T] = bound(*args, **kwargs)
            return await run_async(coroutine)

        vars(call).update(aio=aio)
        return cast("Syncified[P, T]", call)


class syncify_pages(Generic[P, T]):  # noqa: N801
    """Make a method of `Pages` return an iterator of items; ``.aio`` returns an async iterator."""

    def __init__(self, method: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self.__doc__ = method.__doc__
        self._method = method

    def __get__(self, instance: object, owner: type) -> SyncifiedPages[P, T]:
        bound = _bound(self._method, instance, owner)

        @functools.wraps(bound)
        def call(*args: Any, **kwargs: Any) -> PageIterator[T]:
            return PageIterator(bound(*args, **kwargs))

        @functools.wraps(bound)
        def aio(*args: Any, **kwargs: Any) -> AsyncPageIterator[T]:
            return AsyncPageIterator(bound(*args, **kwargs))

        function, is_bound = getattr(bound, "__func__", bound), bound is not self._method
        vars(call).update(aio=aio, __signature__=_signature(function, is_bound, "Iterator"))
        vars(aio).update(__signature__=_signature(function, is_bound, "AsyncIterator"))
        return cast("SyncifiedPages[P, T]", call)


class PageIterator(Iterator[T_co]):
    """Iterates over the items of pages. The background loop closes the pages."""

    def __init__(self, pages: Pages[T_co]) -> None:
        self._pages = pages
        self._page: Iterator[T_co] = iter(())

    def __next__(self) -> T_co:
        while True:
            for item in self._page:
                return item
            page = run_sync(_next(self._pages))
            if page is None:
                raise StopIteration
            self._page = iter(page)

    def close(self) -> None:
        """End the iteration."""
        self._page = iter(())
        run_sync(self._pages.aclose())


class AsyncPageIterator(AsyncIterator[T_co]):
    """The asynchronous version of `PageIterator`.

    It is not a generator, because the caller's loop may be closed before the iteration ends.
    """

    def __init__(self, pages: Pages[T_co]) -> None:
        self._pages = pages
        self._page: Iterator[T_co] = iter(())

    async def __anext__(self) -> T_co:
        while True:
            for item in self._page:
                return item
            page = await run_async(_next(self._pages))
            if page is None:
                raise StopAsyncIteration
            self._page = iter(page)

    async def aclose(self) -> None:
        """End the iteration."""
        self._page = iter(())
        await run_async(self._pages.aclose())


def _bound(method: Any, instance: object, owner: type) -> Callable[..., Any]:
    bound: Callable[..., Any] = method.__get__(instance, owner)
    return bound


@functools.cache
def _signature(function: Callable[..., Any], is_bound: bool, iterator: str) -> inspect.Signature:
    """Return the signature of a method of pages as its callers see it: an iterator of items."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[is_bound:]
    annotation = signature.return_annotation.replace("Pages[", f"{iterator}[")
    return signature.replace(parameters=parameters, return_annotation=annotation)


async def _next(pages: Pages[T]) -> Sequence[T] | None:
    return await anext(pages, None)
