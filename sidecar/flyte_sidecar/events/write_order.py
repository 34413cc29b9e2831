"""In which order the writes of one client take effect, and what is known of each.

A client may send requests without waiting for answers. A request then sees every write to
its run that was sent before it, while a write waits only for those that may mean its event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from contextvars import ContextVar
from itertools import chain
from types import TracebackType
from typing import Any, TypeVar

from flyte_sidecar._futures import retrieve_exception, wait_all
from flyte_sidecar.events.model import Run, Target

T = TypeVar("T")

GRACE = 10.0
"""Seconds that a cancelled request waits for a write that is already on its way."""


_current: ContextVar[Write | None] = ContextVar("current", default=None)
"""The write that the running task carries out."""


def is_writing() -> bool:
    """Return whether the running task carries out a write."""
    return _current.get() is not None


def is_abandoned() -> bool:
    """Return whether the client stopped waiting for the write that the running task carries out.

    The client may have received a response by then: a backend must not retry the write.
    """
    write = _current.get()
    return write is not None and write.abandoned


class Write:
    """One write: its place in the order, and what can be said of it should it break off."""

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
        """Whether the request was cancelled while the write was being carried out."""
        return self._result is not None and self._result.cancelled()

    def describe(self) -> dict[str, Any]:
        """Say what a caller needs to know to send the write again safely."""
        return {"outcome": "unknown" if self._sent else "none", "actionName": self.action_name}

    async def turn(self) -> None:
        """Wait for the earlier writes that may mean the same event."""
        await ended(self._earlier)

    async def carry_out(self, work: Awaitable[T]) -> T:
        """Give what `work` gives, and do not tear it off when the caller is cancelled.

        Once the write is with the backend, whether it happens is no longer ours to decide:
        its result is awaited for a while and told.
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
                await asyncio.wait({sent}, timeout=GRACE)
            if sent.done():
                return sent.result()
            raise

    def end(self) -> None:
        """Let the later ones go on; ending twice is ending once."""
        if not self._ended.done():
            self._ended.set_result(None)
            self._order.forget(self)
            self._earlier.clear()  # else each would keep all before it alive

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
    """The writes of one client that have not ended."""

    def __init__(self) -> None:
        self._runs: dict[Run, tuple[_Writes, _Writes]] = {}

    def enter(self, target: Target) -> Write:
        """Take the next place; the caller sees to it that `Write.end` is called."""
        alike, others, word = self._where(target)
        same = alike.setdefault(word, [])
        earlier = [one for one in same if _may_share_parent(one.target, target)]
        # What an id means to those who say names, and the other way round, nobody knows yet.
        earlier += chain.from_iterable(others.values())
        write = Write(self, target, earlier)
        same.append(write)
        return write

    def before(self, run: Run | None) -> list[Write]:
        """Give the writes that a read of the run, or of all runs, must wait for."""
        if run is None:
            kinds = list(chain.from_iterable(self._runs.values()))
        elif run in self._runs:
            kinds = list(self._runs[run])
        else:
            return []
        return [write for kind in kinds for same in kind.values() for write in same]

    def forget(self, write: Write) -> None:
        """Take an ended write out."""
        alike, others, word = self._where(write.target)
        alike[word].remove(write)
        if not alike[word]:
            del alike[word]
        if not alike and not others:
            del self._runs[write.target.run]

    def _where(self, target: Target) -> tuple[_Writes, _Writes, str]:
        """Give the writes that name events as the target does, the others, and its word."""
        by_name, by_id = self._runs.setdefault(target.run, ({}, {}))
        if target.action_name is not None:
            return by_id, by_name, target.action_name
        return by_name, by_id, target.name or ""


_Writes = dict[str, list[Write]]


def _may_share_parent(one: Target, other: Target) -> bool:
    return one.parent is None or other.parent is None or one.parent == other.parent


async def ended(writes: Iterable[Write]) -> None:
    """Wait until all these writes have ended, however they did."""
    await wait_all(write._ended for write in writes)
