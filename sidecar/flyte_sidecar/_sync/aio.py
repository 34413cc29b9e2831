"""Methods with two forms."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

from flyte_sidecar._sync.background import bridge, run

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Pages = AsyncGenerator[Sequence[T], None]
"""What a paging method gives; its callers see single items, and wait once a page."""


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
