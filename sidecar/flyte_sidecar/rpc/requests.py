"""A request from its reading to its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Raw, Struct, field

from flyte_sidecar.errors import SidecarError
from flyte_sidecar.rpc.concurrency_limit import ConcurrencyLimit


class WriteOutcome(Protocol):
    """What a request may have changed."""

    def describe(self) -> dict[str, Any]:
        """Say what is known of it, as members of an error's data."""

    def end(self) -> None:
        """The request is over, whether or not it ever ran."""


class Call(Struct, eq=False):
    """A request from its reading to its answer.

    Attributes
    ----------
    id
        Its JSON text, None for a notification.
    key
        One form for all ways to write the same id.
    method
        Of a notification, for the log.
    size
        Bytes of the message; of a batch's entry, of the entry.
    page_bytes
        What a reply that can end early should not outgrow.
    open_ended, light
        As of its handler.
    silent
        Whether it is a notification, to which nothing is ever answered.
    effect
        Set by the handler of a write.
    outcome, known
        What was decided: a result or a SidecarError, and what the effect then knew.
    reply
        The JSON text of its answer, in a batch once it is settled.
    reserved
        Bytes that the batch's array has for its answer, whatever happens.
    window, turn
        What admits its work, if anything does. `turn` is done once the work may begin; None
        where it could begin at once.
    ending
        Why its task was cancelled, once it was.
    when_ended
        Gives the result of a task that was cancelled; by default the reason is an error.
    """

    id: bytes | None = None
    key: bytes | None = None
    method: str = ""
    size: int = 0
    page_bytes: int = 0
    batch: Batch | None = None
    effect: WriteOutcome | None = None
    task: asyncio.Future[Any] | None = None
    window: ConcurrencyLimit | None = None
    turn: asyncio.Future[None] | None = None
    timer: asyncio.TimerHandle | None = None
    ending: SidecarError | None = None
    when_ended: Callable[[SidecarError], Any] | None = None
    open_ended: bool = False
    light: bool = False
    settled: bool = False
    silent: bool = False
    outcome: Any = None
    known: dict[str, Any] | None = None
    reply: bytes = b""
    reserved: int = 0

    @property
    def sent(self) -> bool:
        """Whether it may have changed something by now."""
        return self.effect is not None and self.effect.describe()["outcome"] != "none"

    def cut_short(self, why: SidecarError) -> Any:
        """Give the outcome of work that was ended for this reason."""
        return why if self.when_ended is None else self.when_ended(why)

    def stop(self, why: SidecarError) -> None:
        """Cancel its work; what it gives all the same is still its answer."""
        if self.task is None or self.ending is not None:
            return
        self.ending = why
        coroutine = self.task.get_coro() if isinstance(self.task, asyncio.Task) else None
        if getattr(coroutine, "cr_suspended", False):
            # What it waits for may just have come, and would be lost.
            self.task.get_loop().call_soon(self.task.cancel)
        else:
            self.task.cancel()


class Batch(Struct, eq=False):
    """The calls of one array, answered by one array once all are settled.

    Attributes
    ----------
    size
        Bytes of the answers so far, and of the errors that the others may become.
    """

    calls: list[Call] = field(default_factory=list)
    unsettled: int = 1  # the array is not answered before it is read
    size: int = 0


class Notice(Struct, frozen=True):
    """A notification to the client: its method, and what it carries."""

    method: str
    params: object


class Handler(Struct, frozen=True):
    """How a method is carried out.

    Attributes
    ----------
    read
        Makes the params from their JSON; raises InvalidParams.
    handle
        Gives the result, or a coroutine or future of it; raises SidecarError.
    open_ended
        Whether it stays open until something happens, and so does not count as work.
    light
        Whether its result is always small, so that it begins at once, whatever else goes on.
    in_batch
        Whether it may stand in a batch.
    """

    read: Callable[[Raw], Any]
    handle: Callable[[Any, Call], Any]
    notification: bool = False
    open_ended: bool = False
    light: bool = False
    in_batch: bool = True
