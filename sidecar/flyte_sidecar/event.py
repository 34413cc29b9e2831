"""The `Event` of the Python API, on the backend that `init` selected.

It has the interface of ``flyte.remote.Event`` in Flyte's SDK. Its methods raise the errors of
`flyte_sidecar.errors`, and `TypeError` or `ValueError` for arguments that no backend accepts.
"""

from __future__ import annotations

import asyncio
import operator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from flyteidl2.workflow import run_definition_pb2
from google.protobuf import json_format

from flyte_sidecar._event_arguments import PAYLOAD_TYPES, new_event, plain_payload
from flyte_sidecar._futures import resolve, wait_all
from flyte_sidecar._init import shared_service
from flyte_sidecar._sync import Pages, syncify, syncify_pages
from flyte_sidecar.backends.flyte.rpc import event_conversion
from flyte_sidecar.errors import DeadlineExceeded, ShuttingDown
from flyte_sidecar.events import model
from flyte_sidecar.events.service import EventService, completed

EventPayload = model.Payload
"""The answer to an event: a `bool`, `int`, `float` or `str`."""


async def _wait_for_answer(service: EventService, target: model.Target) -> model.Event:
    return await resolve(service.wait(target))


@dataclass(repr=False)
class Event:
    """An event of a run: a question that the run waits on until a signal answers it.

    Every method blocks when called. ``.aio`` is its asynchronous version, as in
    ``await Event.get.aio(...)`` and ``async for event in Event.listall.aio(...)``.

    Parameters
    ----------
    pb2
        The condition action that represents the event in Flyte.

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
        """The name of the event, which may not be unique in its run."""
        metadata = self.pb2.metadata
        return metadata.condition.name if metadata.HasField("condition") else self.pb2.id.name

    @property
    def action_name(self) -> str:
        """The name of the condition action: the id of the event within the run."""
        return self.pb2.id.name

    @property
    def run_name(self) -> str:
        """The name of the run."""
        return self.pb2.id.run.name

    @property
    def phase(self) -> str:
        """Flyte's ActionPhase without its prefix, as in ``PAUSED``, or ``UNKNOWN_<n>``."""
        return event_conversion.action_phase(self.pb2)

    @property
    def expected_type(self) -> type[EventPayload] | None:
        """The type of the payload, or None if the backend does not report it."""
        name = event_conversion.action_expected_type(self.pb2)
        return next((kind for kind in PAYLOAD_TYPES if kind.__name__ == name), None)

    @syncify
    @classmethod
    async def get(cls, name: str, /, run_name: str, action_name: str | None = None) -> Event | None:
        """Return the first event created with this name, or None.

        Parameters
        ----------
        name
            The name of the event.
        run_name
            The name of the run.
        action_name
            Consider only events whose parent is this action.
        """
        async with shared_service.use() as service:
            target = model.Target(service.run(run_name), name=name, parent=action_name)
            found = await resolve(service.get(target))
        return None if found is None else cls(event_conversion.event_to_action(found))

    @syncify_pages
    @classmethod
    def listall(
        cls, /, run_name: str, action_name: str | None = None, limit: int = model.DEFAULT_PAGE_LIMIT
    ) -> Pages[Event]:
        """Iterate over the events of a run, in creation order.

        Parameters
        ----------
        run_name
            The name of the run.
        action_name
            List only events whose parent is this action.
        limit
            Events per page; at most 1,000.

        Raises
        ------
        ValueError
            If the limit is less than 1.
        """
        if operator.index(limit) < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        return cls._pages(run_name, action_name, min(limit, model.MAX_PAGE_LIMIT))

    @classmethod
    async def _pages(cls, run_name: str, parent: str | None, limit: int) -> Pages[Event]:
        cursor = None
        while True:
            async with shared_service.use() as service:
                run = service.run(run_name)
                query = model.Query(run=run, parent=parent, limit=limit, cursor=cursor)
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
        prompt_type: model.PromptType = model.DEFAULT_PROMPT_TYPE,
        description: str | None = None,
        expires_in: float | None = None,
        group: str | None = None,
    ) -> Event:
        """Create an event that waits for an answer. Only the embedded store supports this.

        Parameters
        ----------
        name
            The name of the event, unique under its parent: 1 to 1,000 characters, none of them a
            control character.
        run_name
            The name of the run, with the same constraints.
        action_name
            The parent: the action that the event belongs to.
        expected_type
            The type of the payload: `bool`, `int`, `float` or `str`.
        prompt, prompt_type, description
            The question to a person, its format (``text`` or ``markdown``), and further details.
        expires_in
            Seconds after which the event times out (default: never).
        group
            The group of actions that the event belongs to.

        Raises
        ------
        EventExists
            If the parent has an event with this name already.
        UnsupportedByBackend
            If the backend is a Flyte deployment, where only runs create events.
        """
        async with shared_service.use() as service:
            new = new_event(
                run=service.run(run_name),
                run_name=run_name,
                name=name,
                parent=action_name,
                group=group,
                expected_type=expected_type,
                prompt=prompt,
                prompt_type=prompt_type,
                description=description,
                expires_in=expires_in,
            )
            write = service.write(model.Target(new.run, name=new.name, parent=new.parent))
            return cls(event_conversion.event_to_action(await service.create(write, new)))

    @syncify
    async def signal(self, payload: EventPayload) -> None:
        """Answer the event. A second signal with the same value succeeds and changes nothing.

        Raises
        ------
        TypeError
            If the payload is not a `bool`, `int`, `float` or `str`.
        PayloadTypeMismatch
            If the event expects another type. A `float` event accepts an `int` that fits a double.
        AlreadySignalled, AlreadyCompleted, EventNotFound
            If the event has another answer, ended without one, or does not exist.
        """
        value = plain_payload(payload)
        # On the wire a string of digits may represent an int. Here a str is always text.
        expected: model.ExpectedType | None = "str" if isinstance(value, str) else None
        async with shared_service.use() as service:
            write = service.write(self._target(service))
            self._update(await service.signal(write, value, expected))

    @syncify
    async def wait(self, timeout: float | None = None) -> EventPayload:
        """Wait for the answer and return it.

        Parameters
        ----------
        timeout
            Seconds to wait (default: no timeout).

        Raises
        ------
        DeadlineExceeded
            If the event was not answered in time.
        AlreadyCompleted
            If the event ended without an answer: it expired or was aborted.
        EventNotFound
            If the event does not exist.
        ShuttingDown
            If `init` selected another backend during the wait.
        """
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"timeout must not be negative: {timeout}")
        event = await self._wait_until_resolved(timeout)
        self._update(event)
        if event.phase != model.SUCCEEDED or event.payload is None:
            raise completed(event)
        return event.payload

    def to_dict(self) -> dict[str, Any]:
        """Return the protobuf JSON of `pb2` as plain Python values."""
        return json_format.MessageToDict(self.pb2)

    def to_json(self) -> str:
        """Return the protobuf JSON of `pb2`."""
        return json_format.MessageToJson(self.pb2)

    def __repr__(self) -> str:
        expected = self.expected_type
        return (
            f"{type(self).__name__}(name={self.name!r}, action_name={self.action_name!r},"
            f" run_name={self.run_name!r}, phase={self.phase!r},"
            f" expected_type={expected and expected.__name__})"
        )

    async def _wait_until_resolved(self, timeout: float | None) -> model.Event:
        """Wait until the event is resolved. A pause cancels the wait, which is then restarted."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        factory = shared_service.factory
        while True:
            async with shared_service.use() as service:
                if shared_service.factory is not factory:
                    raise ShuttingDown("init selected another backend")
                target = self._target(service)
                await resolve(service.get(target))  # opens the store
                waiting = shared_service.start_until_pause(_wait_for_answer(service, target))
                remaining = None if deadline is None else max(0.0, deadline - loop.time())
                try:
                    ended, _ = await asyncio.wait([waiting], timeout=remaining)
                finally:
                    waiting.cancel()
                    await wait_all([waiting])
                if not waiting.cancelled():
                    return waiting.result()
                if not ended:
                    raise DeadlineExceeded(f"{target} was not answered within {timeout} s")

    def _target(self, service: EventService) -> model.Target:
        run_id = self.pb2.id.run
        run = service.run(run_id.name, run_id.org, run_id.project, run_id.domain)
        if self.action_name:
            return model.Target(run, action_name=self.action_name)
        return model.Target(run, name=self.name, parent=self.pb2.metadata.parent or None)

    def _update(self, event: model.Event) -> None:
        """Update `pb2`, and keep those of its members that the event core does not know."""
        pb2 = deepcopy(self.pb2)
        pb2.MergeFrom(event_conversion.event_to_action(event))
        self.pb2 = pb2  # another thread reads the old state or the new one
