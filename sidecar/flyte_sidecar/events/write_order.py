"""The order in which the writes of one client take effect, and the outcome of each.

A client may pipeline requests. A read waits for every earlier write to its run, and a write waits
only for the earlier writes that may refer to the same event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from itertools import chain
from types import TracebackType
from typing import Any, TypeVar

from flyte_sidecar._futures import retrieve_exception, wait_all
from flyte_sidecar.events.model import Run, Target

T = TypeVar("T")

CANCELLED_WRITE_TIMEOUT = 10.0
"""Seconds for which a cancelled request still waits for a write that the backend has begun."""


_current: ContextVar[Write | None] = ContextVar("current", default=None)
"""The write that the running task performs."""


def is_writing() -> bool:
    """Return whether the running task performs a write."""
    return _current.get() is not None


def is_abandoned() -> bool:
    """Return whether the client stopped waiting for the write that the running task performs.

    The client may have received a response by then: a backend must not retry the write.
    """
    write = _current.get()
    return write is not None and write.abandoned


class Write:
    """A write: its position in the order, and its outcome if it is interrupted."""

    def __init__(self, order: WriteOrder, target: Target, earlier: list[Write]) -> None:
        self.target = target
        self.action_name: str | None = None
        self._order = order
        self._earlier = earlier
        self._sent = False
        self._result: asyncio.Future[Any] | None = None
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def abandoned(self) -> bool:
        """Whether the request was cancelled while the write was being performed."""
        return self._result is not None and self._result.cancelled()

    def describe(self) -> dict[str, Any]:
        """Return what a caller needs to know to retry the write safely."""
        return {"outcome": "unknown" if self._sent else "none", "actionName": self.action_name}

    async def turn(self) -> None:
        """Wait for the earlier writes that may refer to the same event."""
        await ended(self._earlier)

    async def perform(self, work: Awaitable[T]) -> T:
        """Return the result of `work`, which is not cancelled together with the caller.

        Once the backend has begun the write, it may take effect. After a cancellation its result is
        therefore awaited for `CANCELLED_WRITE_TIMEOUT`, and returned if it arrives.
        """
        self._sent = True
        token = _current.set(self)
        sent = asyncio.ensure_future(work)  # a task inherits the context
        _current.reset(token)
        sent.add_done_callback(retrieve_exception)
        self._result = result = asyncio.shield(sent)
        try:
            return await result
        except asyncio.CancelledError:
            if not sent.done():
                await asyncio.wait({sent}, timeout=CANCELLED_WRITE_TIMEOUT)
            if sent.done():
                return sent.result()
            raise

    def end(self) -> None:
        """Let the later writes proceed; idempotent."""
        if not self._ended.done():
            self._ended.set_result(None)
            self._order.forget(self)
            self._earlier.clear()  # else each write would keep all earlier ones in memory

    async def __aenter__(self) -> Write:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()


class WriteOrder:
    """The writes of one client that have not ended.

    Parameters
    ----------
    key
        Returns what the names of one run have in common: `EventBackend.order_key`.
    """

    def __init__(self, key: Callable[[Run], Run] = lambda run: run) -> None:
        self._key = key
        self._runs: dict[Run, tuple[_Writes, _Writes]] = {}

    def enter(self, target: Target) -> Write:
        """Append a write to the order; the caller must call `Write.end`."""
        alike, others, key = self._tables(target)
        same = alike.setdefault(key, [])
        earlier = [write for write in same if _may_share_parent(write.target, target)]
        # A name and an id may refer to the same event.
        earlier += chain.from_iterable(others.values())
        write = Write(self, target, earlier)
        same.append(write)
        return write

    def before(self, run: Run | None) -> list[Write]:
        """Return the writes that a read of the run, or of all runs, must wait for."""
        if not self._runs:
            return []
        if run is None:
            kinds = list(chain.from_iterable(self._runs.values()))
        else:
            kinds = list(self._runs.get(self._key(run), ()))
        return [write for kind in kinds for same in kind.values() for write in same]

    def forget(self, write: Write) -> None:
        """Remove an ended write."""
        alike, others, key = self._tables(write.target)
        alike[key].remove(write)
        if not alike[key]:
            del alike[key]
        if not alike and not others:
            del self._runs[self._key(write.target.run)]

    def _tables(self, target: Target) -> tuple[_Writes, _Writes, str]:
        """Return the writes that use the same kind of key (name or id), the others, and the key."""
        by_name, by_id = self._runs.setdefault(self._key(target.run), ({}, {}))
        if target.action_name is not None:
            return by_id, by_name, target.action_name
        return by_name, by_id, target.name or ""


_Writes = dict[str, list[Write]]


def _may_share_parent(first: Target, second: Target) -> bool:
    return first.parent == second.parent or None in (first.parent, second.parent)


async def ended(writes: Iterable[Write]) -> None:
    """Wait until all these writes have ended, successfully or not."""
    await wait_all(write._ended for write in writes)
