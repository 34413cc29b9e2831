"""Answers for the conditions of local runs in tests of workflows.

>>> from flyte_sidecar.testing import answering
>>> with answering({"deploy": True}):
...     flyte.with_runcontext(mode="local").run(release)
"""

from __future__ import annotations

import asyncio
import functools
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from flyte_sidecar import local_runs
from flyte_sidecar._futures import try_set_result, wait_all
from flyte_sidecar._sync import SharedResource, run_sync
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.errors import EventError, PayloadTypeMismatch
from flyte_sidecar.events.coalescing import Changed, CoalescingQueue, Synced
from flyte_sidecar.events.model import Event, ExpectedType, Payload
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.watch_feed import WatchSelector
from flyte_sidecar.server.settings import STORE_VARIABLE

__all__ = ["answering"]


@contextmanager
def answering(answers: Mapping[str, Payload] | None = None) -> Iterator[dict[str, Payload]]:
    """Answer the conditions that local runs of this process reach within the block.

    They get a store of their own, so that no other program sees or answers them. A condition whose
    name has no answer, or one of another type, is aborted: the run fails instead of waiting.

    Parameters
    ----------
    answers
        The answers by the name of the condition. The block can change them in the dict that it
        receives.
    """
    local_runs.install()  # the SDK does not load its plugins in every process
    current = dict(answers or {})
    store = _Store.of_process()
    previous = os.environ.get(STORE_VARIABLE)
    responding = run_sync(store.start(current))
    os.environ[STORE_VARIABLE] = store.path
    try:
        yield current
    finally:
        os.environ.pop(STORE_VARIABLE)
        if previous is not None:
            os.environ[STORE_VARIABLE] = previous
        run_sync(_stop(responding))


class _Store:
    """The store of the blocks of this process, in a temporary folder."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="flyte-sidecar-testing-")
        self.path = os.path.join(self._folder.name, "events.db")
        self._service = SharedResource(
            lambda: EventService(LocalBackend(self.path)), lambda service: service.backend.close()
        )

    @staticmethod
    @functools.cache
    def of_process() -> _Store:
        """Return the store, the same one for all blocks: an open store has file descriptors."""
        return _Store()

    async def start(self, answers: Mapping[str, Payload]) -> asyncio.Task[None]:
        """Start to answer events, and return the task that does it."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        responding = asyncio.create_task(
            self._service.run_between_pauses(lambda service: _respond(service, answers, ready))
        )
        await asyncio.wait((responding, ready), return_when=asyncio.FIRST_COMPLETED)
        if responding.done():
            responding.result()
        return responding


async def _respond(
    service: EventService, answers: Mapping[str, Payload], ready: asyncio.Future[None]
) -> None:
    updates = CoalescingQueue(WatchSelector(scope=service.scope(None, None, None)))
    watching = asyncio.ensure_future(service.watch(updates))
    try:
        while not watching.done():
            update = updates.take()
            if update is None:
                changed = (watching, updates.available())
                await asyncio.wait(changed, return_when=asyncio.FIRST_COMPLETED)
            elif isinstance(update, Synced):
                try_set_result(ready, None)
            elif isinstance(update, Changed) and update.event.pending and ready.done():
                await _answer(service, update.event, answers)
        watching.result()
    finally:
        watching.cancel()
        await wait_all([watching])


async def _answer(service: EventService, event: Event, answers: Mapping[str, Payload]) -> None:
    with suppress(EventError):  # it has ended meanwhile
        if event.name not in answers:
            reason = f"the test has no answer to {event.name!r}"
        else:
            value = answers[event.name]
            # On the wire, digits may represent an int. Here a str is always text.
            claimed: ExpectedType | None = "str" if isinstance(value, str) else None
            try:
                await service.signal(service.write(event.target), value, claimed)
                return
            except PayloadTypeMismatch as error:
                reason = f"the answer of the test is not valid: {error.message}"
        await service.abort(service.write(event.target), reason)


async def _stop(responding: asyncio.Task[None]) -> None:
    responding.cancel()
    await wait_all([responding])
