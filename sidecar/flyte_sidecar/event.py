"""The Event of the Python API, over the backend that was chosen.

It keeps the contract of ``flyte.remote.Event`` in Flyte's SDK. Beside the errors of
`flyte_sidecar.errors` it raises `TypeError` and `ValueError`, for arguments that no backend takes.
"""

from __future__ import annotations

import asyncio
import operator
from dataclasses import dataclass
from typing import Annotated, Any

from flyteidl2.workflow import run_definition_pb2
from google.protobuf import json_format
from msgspec import Meta, ValidationError, convert

from flyte_sidecar._futures import resolve, wait_all
from flyte_sidecar._init import service as chosen
from flyte_sidecar._sync import Pages, syncify, syncify_pages
from flyte_sidecar.backends.flyte.rpc import event_conversion
from flyte_sidecar.errors import DeadlineExceeded, ShuttingDown
from flyte_sidecar.events import model
from flyte_sidecar.events.model import ExpectedType, PromptType, Target
from flyte_sidecar.events.service import EventService, completed
from flyte_sidecar.protocol.params import MAX_EXPIRY, Name

EventPayload = model.Payload
"""A value that can answer an event: a `bool`, `int`, `float` or `str`."""

LARGEST_PAGE = 1000

_TYPES: tuple[type[EventPayload], ...] = (bool, int, float, str)


def _run(service: EventService, name: str) -> model.Run:
    return service.run(name, None, None, None)


async def _wait(service: EventService, target: Target) -> model.Event:
    return await resolve(service.wait(target))


@dataclass(repr=False)
class Event:
    """An event of a run: a question that the run waits on, until a signal answers it.

    Each method blocks when called; its asynchronous form is ``.aio`` on its name, as in
    ``await Event.get.aio(...)`` and ``async for event in Event.listall.aio(...)``.

    Parameters
    ----------
    pb2
        The condition action behind the event.

    Examples
    --------
    >>> event = Event.create("approve", "r1", prompt="Deploy?")
    >>> Event.get("approve", "r1").signal(True)
    >>> event.wait()
    True
    """

    pb2: run_definition_pb2.Action

    @property
    def name(self) -> str:
        """The event's name, which need not be unique in its run."""
        metadata = self.pb2.metadata
        return metadata.condition.name if metadata.HasField("condition") else self.pb2.id.name

    @property
    def action_name(self) -> str:
        """The name of the condition action behind the event: its id within the run."""
        return self.pb2.id.name

    @property
    def run_name(self) -> str:
        """The name of the run that asks."""
        return self.pb2.id.run.name

    @property
    def phase(self) -> str:
        """Flyte's ActionPhase without its prefix: ``PAUSED``; ``UNKNOWN_<n>`` for a new one."""
        return event_conversion.action_phase(self.pb2)

    @property
    def expected_type(self) -> type[EventPayload] | None:
        """The type of payload that the event takes, None where the backend does not tell."""
        name = event_conversion.action_expected_type(self.pb2)
        return next((kind for kind in _TYPES if kind.__name__ == name), None)

    @syncify
    @classmethod
    async def get(cls, name: str, /, run_name: str, action_name: str | None = None) -> Event | None:
        """Give the first event created under that name, or None.

        Parameters
        ----------
        name
            The event's name.
        run_name
            The run that asks.
        action_name
            Only look at events whose parent is this action.
        """
        async with chosen.use() as service:
            target = Target(_run(service, run_name), name=name, parent=action_name)
            found = await resolve(service.get(target))
        return None if found is None else cls(event_conversion.event_to_action(found))

    @syncify_pages
    @classmethod
    def listall(
        cls, /, run_name: str, action_name: str | None = None, limit: int = model.DEFAULT_LIMIT
    ) -> Pages[Event]:
        """Iterate over the events of a run, in creation order.

        Parameters
        ----------
        run_name
            The run that asks.
        action_name
            Only list events whose parent is this action.
        limit
            The most events to fetch at once; over 1,000 counts as 1,000.
        """
        size = min(operator.index(limit), LARGEST_PAGE)
        if size < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        return cls._pages(run_name, action_name, size)

    @classmethod
    async def _pages(cls, run_name: str, parent: str | None, limit: int) -> Pages[Event]:
        cursor = None
        while True:
            async with chosen.use() as service:
                its = _run(service, run_name)
                query = model.Query(run=its, parent=parent, limit=limit, cursor=cursor)
                page = await resolve(service.page(query))
            yield [cls(event_conversion.event_to_action(event)) for event in page.events]
            cursor = page.next_cursor
            if cursor is None:
                return

    @syncify
    @classmethod
    async def create(
        cls,
        name: str,
        /,
        run_name: str,
        action_name: str = model.DEFAULT_PARENT,
        *,
        expected_type: type[EventPayload] = bool,
        prompt: str = model.DEFAULT_PROMPT,
        prompt_type: PromptType = model.DEFAULT_PROMPT_TYPE,
        description: str | None = None,
        expires_in: float | None = None,
        group: str | None = None,
    ) -> Event:
        """Ask: make an event that waits for an answer. Embedded store only.

        Parameters
        ----------
        name
            The event's name, not used before under its parent (else `EventExists`). Names
            made here are 1 to 1,000 characters without control characters.
        run_name
            The run that asks.
        action_name
            The parent: the action that the event belongs to.
        expected_type
            The type of payload that it takes: `bool`, `int`, `float` or `str`.
        prompt, prompt_type, description
            The question for a person; ``text`` or ``markdown``; more about it.
        expires_in
            Seconds after which it times out. By default never.
        group
            The group of actions that it stands in.
        """
        if expected_type not in _TYPES:
            raise TypeError(f"expected_type must be bool, int, float or str, not {expected_type!r}")
        async with chosen.use() as service:
            new = _checked(
                run=_run(service, run_name),
                run_name=run_name,
                name=name,
                parent=action_name,
                group=group,
                expected_type=expected_type.__name__,
                prompt=prompt,
                prompt_type=prompt_type,
                description=description,
                expires_in=expires_in,
            )
            write = service.write(Target(new.run, name=new.name, parent=new.parent))
            return cls(event_conversion.event_to_action(await service.create(write, new)))

    @syncify
    async def signal(self, payload: EventPayload) -> None:
        """Answer the event; answering it again with the same value changes nothing.

        Raises
        ------
        TypeError
            If the payload is no `bool`, `int`, `float` or `str`.
        PayloadTypeMismatch
            If the event takes another type. A `float` event takes an `int` that it can hold.
        AlreadySignalled, AlreadyCompleted, EventNotFound
            If the event has another answer, ended without one, or does not exist.
        """
        value = _plain(payload)
        # On the wire a string of digits may stand for an int. Here it is text.
        claimed: ExpectedType | None = "str" if isinstance(value, str) else None
        async with chosen.use() as service:
            write = service.write(self._target(service))
            self._show(await service.signal(write, value, claimed))

    @syncify
    async def wait(self, timeout: float | None = None) -> EventPayload:
        """Wait for the answer, and give it.

        Parameters
        ----------
        timeout
            Seconds to wait at most. By default without end.

        Raises
        ------
        DeadlineExceeded
            If there was no answer in time.
        AlreadyCompleted
            If the event ended without one: it expired or was aborted.
        EventNotFound
            If the event does not exist.
        ShuttingDown
            If `init` chose another backend meanwhile.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout must not be negative, and is {timeout}")
        stands = await self._resolved(timeout)
        self._show(stands)
        if stands.phase != model.SUCCEEDED or stands.payload is None:
            raise completed(stands)
        return stands.payload

    def to_dict(self) -> dict[str, Any]:
        """Give `pb2` as protobuf's JSON, in plain Python values."""
        return json_format.MessageToDict(self.pb2)

    def to_json(self) -> str:
        """Give `pb2` as protobuf's JSON."""
        return json_format.MessageToJson(self.pb2)

    def __repr__(self) -> str:
        expected = self.expected_type
        return (
            f"{type(self).__name__}(name={self.name!r}, action_name={self.action_name!r},"
            f" run_name={self.run_name!r}, phase={self.phase!r},"
            f" expected_type={expected and expected.__name__})"
        )

    async def _resolved(self, timeout: float | None) -> model.Event:
        """Wait until the event is no longer pending; a pause in between does not show."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        make = chosen.factory
        while True:
            async with chosen.use() as service:
                if chosen.factory is not make:
                    raise ShuttingDown("another backend was chosen")
                target = self._target(service)
                await resolve(service.get(target))  # opens the store
                waiting = chosen.start_until_pause(_wait(service, target))
                left = None if deadline is None else max(0.0, deadline - loop.time())
                try:
                    ended, _ = await asyncio.wait([waiting], timeout=left)
                finally:
                    waiting.cancel()
                    await wait_all([waiting])
                if not waiting.cancelled():
                    return waiting.result()
                if not ended:
                    raise DeadlineExceeded(f"within {timeout} s there was no answer to {target}")

    def _target(self, service: EventService) -> Target:
        its = self.pb2.id
        run = service.run(its.run.name, its.run.org, its.run.project, its.run.domain)
        if its.name:
            return Target(run, action_name=its.name)
        return Target(run, name=self.name, parent=self.pb2.metadata.parent or None)

    def _show(self, stands: model.Event) -> None:
        """Bring `pb2` up to date; what the core does not know of it stays."""
        pb2 = run_definition_pb2.Action()
        pb2.CopyFrom(self.pb2)
        pb2.MergeFrom(event_conversion.event_to_action(stands))
        self.pb2 = pb2  # another thread reads the old state or the new one


def _plain(payload: EventPayload) -> EventPayload:
    """Give the payload as exactly one of the four types, without a subclass's own methods."""
    if isinstance(payload, bool):
        return payload
    if isinstance(payload, int):
        return int.__int__(payload)
    if isinstance(payload, float):
        return float.__float__(payload)
    if isinstance(payload, str):
        payload.encode()  # half a surrogate pair is no text: UnicodeEncodeError
        return str.__str__(payload)
    raise TypeError(f"payload must be a bool, int, float or str, not {type(payload).__name__}")


class _Asked(model.NewEvent, frozen=True, kw_only=True):
    """What is asked of an event made here; of other clients their params ask the same."""

    run_name: Name
    name: Name
    parent: Name
    group: Name | None = None
    expires_in: Annotated[float, Meta(gt=0, le=MAX_EXPIRY)] | None = None


def _checked(**asked: Any) -> _Asked:
    try:
        return convert(asked, _Asked)
    except ValidationError as error:
        raise ValueError(str(error)) from None
