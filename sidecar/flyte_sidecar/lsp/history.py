"""The events of one name in the most recent runs, for hovers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic

from cachetools import TTLCache
from msgspec import Struct
from msgspec.structs import replace

from flyte_sidecar._futures import resolve, wait_all
from flyte_sidecar.errors import DeadlineExceeded, SidecarError
from flyte_sidecar.events.live.background import BackgroundTasks
from flyte_sidecar.events.model import Event, Run, RunsQuery, Target
from flyte_sidecar.events.service import EventService

MAX_RUNS = 20
"""Most recent runs in which events are looked up."""

MAX_CONCURRENT = 8
"""Maximum number of runs that are read concurrently."""

DEADLINE = 1.5
"""Seconds after which a hover is shown with what is known by then."""

READ_TIMEOUT = 10.0
"""Seconds for which reading continues, so that the next hover shows more."""

CACHE_SECONDS = 5.0
"""How long a complete history is reused, in seconds."""

MAX_CACHE_BYTES = 4 << 20
"""Total size of the cached events."""

MAX_PAYLOAD_LENGTH = 1000
"""Characters of an answer that are kept."""


class RecentEvents(Struct, frozen=True):
    """The events of one name in the most recent runs, as far as they were read.

    Attributes
    ----------
    events
        Of each run the pending events, or else the last one; the newest run first.
    phases
        The phase of each run; None where runs have none.
    complete
        Whether all of these runs were read.
    error
        Why they were not, if reading has failed.
    """

    events: tuple[Event, ...] = ()
    phases: Mapping[Run, str | None] = {}
    complete: bool = True
    error: SidecarError | None = None

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return 500 + sum(event.size for event in self.events) + 500 * len(self.phases)


class History:
    """Reads the recent events of names; a name is read once at a time.

    Parameters
    ----------
    includes
        Returns whether a run is of interest, by its name.
    deadline
        How long `recent` waits, in seconds.
    """

    def __init__(
        self,
        service: EventService,
        includes: Callable[[str], bool] = lambda run_name: True,
        deadline: float = DEADLINE,
    ) -> None:
        self._service = service
        self._includes = includes
        self._deadline = deadline
        self._cache: TTLCache[str, RecentEvents] = TTLCache(
            MAX_CACHE_BYTES, CACHE_SECONDS, monotonic, lambda recent: recent.size
        )
        self._reading: dict[str, _Reading] = {}
        self._tasks = BackgroundTasks()

    async def recent(self, name: str) -> RecentEvents:
        """Return the events of a name; those that are known when the deadline has passed."""
        cached: RecentEvents | None = self._cache.get(name)
        if cached is not None:
            return cached
        reading = self._reading.get(name)
        if reading is None:
            reading = self._reading[name] = _Reading(self._service, self._includes, name)
            reading.task = self._tasks.start(self._read(name, reading))
        await wait_all([reading.task], self._deadline)
        return reading.result()

    def invalidate(self, names: Iterable[str]) -> None:
        """Read the events of these names again, because they have changed."""
        for name in names:
            self._cache.pop(name, None)
            self._reading.pop(name, None)

    async def close(self) -> None:
        """Stop all reading."""
        await self._tasks.close()

    async def _read(self, name: str, reading: _Reading) -> None:
        try:
            await reading.read()
        finally:
            is_current = self._reading.get(name) is reading
            if is_current:
                del self._reading[name]
        recent = reading.result()
        if is_current and recent.complete and recent.size <= MAX_CACHE_BYTES:
            self._cache[name] = recent


class _Reading:
    """One read of the events of a name, and what it has found so far."""

    task: asyncio.Task[None]

    def __init__(self, service: EventService, includes: Callable[[str], bool], name: str) -> None:
        self._service = service
        self._includes = includes
        self._name = name
        self._phases: dict[Run, str | None] = {}
        self._found: dict[Run, Sequence[Event]] = {}
        self._limit = asyncio.Semaphore(MAX_CONCURRENT)
        self._complete = False
        self._error: SidecarError | None = None

    def result(self) -> RecentEvents:
        """Return what is known so far."""
        events = tuple(event for run in self._phases for event in self._found.get(run, ()))
        return RecentEvents(events, dict(self._phases), self._complete, self._error)

    async def read(self) -> None:
        """Read the runs, then the events of each."""
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                await self._read_runs()
            self._complete = self._error is None
        except SidecarError as error:
            self._error = error
        except TimeoutError:
            self._error = DeadlineExceeded(f"reading takes more than {READ_TIMEOUT:.0f} seconds")

    async def _read_runs(self) -> None:
        query = RunsQuery(scope=self._service.scope(None, None, None), limit=MAX_RUNS)
        page = await resolve(self._service.runs(query))
        if page.unavailable:
            self._error = page.unavailable[0].error
        for info in page.runs:
            if self._includes(info.run_name):
                run = Run(info.org, info.project, info.domain, info.run_name)
                self._phases[run] = info.phase
        reads = [asyncio.ensure_future(self._read_run(run)) for run in self._phases]
        try:
            await asyncio.gather(*reads)
        finally:
            for read in reads:
                read.cancel()

    async def _read_run(self, run: Run) -> None:
        async with self._limit:
            events = await resolve(self._service.choices(Target(run, name=self._name)))
            self._found[run] = tuple(map(_shortened, events))


def _shortened(event: Event) -> Event:
    if isinstance(event.payload, str) and len(event.payload) > MAX_PAYLOAD_LENGTH:
        return replace(event, payload=event.payload[:MAX_PAYLOAD_LENGTH] + "…")
    return event
