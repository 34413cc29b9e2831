"""Claims, delivers, retries and repeats the notifications of one channel."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from msgspec import Struct, json

from flyte_sidecar._backoff import backoff
from flyte_sidecar._futures import run_in_thread, wait_all
from flyte_sidecar._internal_error import internal_error
from flyte_sidecar.cli.notify.notice import Channel, DeliveryFailed, Notice, Reason
from flyte_sidecar.cli.notify.schedule import (
    MAX_PAUSE,
    MAX_RETRY_DELAY,
    RETRY_DELAY,
    Schedule,
)
from flyte_sidecar.cli.quantities import quantity
from flyte_sidecar.events.delivery_leases import (
    MAX_LEASE,
    Claim,
    DeliveryLeases,
    EventName,
    LeasesUnavailable,
)
from flyte_sidecar.events.model import Event

MAX_CHECKED = 100
"""Number of events whose leases are read at once, unless the channel delivers more at once."""

MAX_DETAILED = 3
"""Number of notices of one delivery up to which the prompts of partial events are read."""

END_DELAY = 60.0
"""Seconds in which the end of an event is expected to be reported, once it was read."""

CLOCK_CHECK_INTERVAL = 30.0
"""Seconds between looks at the clock, which may be set, or go on while the machine sleeps."""

CLOSE_TIMEOUT = 3.0
"""Seconds that deliveries have to finish at the end."""

logger = logging.getLogger(__name__)


class EventSource(Struct, frozen=True):
    """What a dispatcher reads.

    Attributes
    ----------
    get
        Returns an event if it waits.
    detailed
        Returns the current state of an event, with its prompt if that can be read now.
    """

    get: Callable[[EventName], Event | None]
    detailed: Callable[[Event], Awaitable[Event]]


class _Entry(Struct):
    """An event that waits, and when it is due, as a Unix time."""

    due: float
    reason: Reason = "missed"
    failures: int = 0


class Dispatcher:
    """The notifications of one channel. Close it once it was started."""

    def __init__(
        self, channel: Channel, leases: DeliveryLeases, source: EventSource, schedule: Schedule
    ) -> None:
        self._channel = channel
        self._leases = leases
        self._source = source
        self._schedule = schedule
        self._leases_failed = False
        self._last_warning = ""
        self._last_time = -math.inf
        self._resume_at = -math.inf
        self._pauses = 0
        self._entries: dict[EventName, _Entry] = {}
        self._busy: set[EventName] = set()
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._withdrawn: list[EventName] = []
        self._withdrawing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to deliver."""
        concurrency = self._channel.concurrency
        self._workers = [asyncio.ensure_future(self._work()) for _ in range(concurrency)]

    def add(self, name: EventName, event: Event) -> None:
        """Notify of an event that waits, once it is due, unless that is already planned."""
        if name in self._entries:
            return
        now = self._schedule.clock()
        since = now if event.created_at is None else min(now, event.created_at.timestamp())
        self._entries[name] = _Entry(since + self._schedule.after)
        self._changed.set()

    def mark_as_new(self, name: EventName) -> None:
        """Take note that an event has started to wait only now."""
        if (entry := self._entries.get(name)) is not None:
            entry.reason = "waiting"

    def remove(self, name: EventName) -> None:
        """Notify no more of an event, which no longer waits."""
        if self._entries.pop(name, None) is not None:
            self._withdrawn.append(name)
            if self._withdrawing is None or self._withdrawing.done():
                self._withdrawing = asyncio.ensure_future(self._withdraw())

    async def close(self) -> None:
        """Let deliveries finish for a few seconds, and release all leases."""
        self._closing.set()
        self._changed.set()
        await wait_all(self._workers, CLOSE_TIMEOUT)
        tasks = [*self._workers, *filter(None, [self._withdrawing])]
        for task in tasks:
            task.cancel()
        await wait_all(tasks)
        await self._update(self._leases.release)
        await self._channel.close()

    async def _work(self) -> None:
        while not self._closing.is_set():
            if not (due := self._due()):
                await self._wait()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._channel.pause):
                    await self._closing.wait()
                    return
            own = {*(due := self._due())}
            self._busy |= own
            try:
                await self._deliver_some(due, own)
            except Exception as error:
                internal_error(error)
                for name in due:
                    if (entry := self._entries.get(name)) is not None:
                        entry.due = self._schedule.clock() + MAX_RETRY_DELAY
            finally:
                self._busy -= own

    def _due(self) -> list[EventName]:
        now = self._schedule.clock()
        if now < self._last_time:  # the clock was set back
            for entry in self._entries.values():
                entry.due -= self._last_time - now
            self._resume_at -= self._last_time - now
        self._last_time = now
        if now < self._resume_at:
            return []
        due = [
            name
            for name, entry in self._entries.items()
            if entry.due <= now and name not in self._busy
        ]
        return due[: max(MAX_CHECKED, self._channel.batch)]

    async def _wait(self) -> None:
        """Wait until something has changed, or an event may be due."""
        self._changed.clear()
        times = [entry.due for name, entry in self._entries.items() if name not in self._busy]
        delay = max(min(times, default=math.inf), self._resume_at) - self._schedule.clock()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(delay, 0.0), CLOCK_CHECK_INTERVAL)):
                await self._changed.wait()

    async def _deliver_some(self, due: Sequence[EventName], own: set[EventName]) -> None:
        """Deliver those of the events that this process can claim.

        The others are removed from `own`: other workers may deliver them meanwhile.
        """
        claims = dict(zip(due, await self._claim(due), strict=True))
        claimed: list[EventName] = []
        for name, claim in claims.items():
            if claim.status == "claimed":
                claimed.append(name)
            elif (entry := self._entries.get(name)) is not None:
                if claim.status == "held":
                    entry.due = claim.until
                elif claim.status == "delivered":
                    entry.due = self._next(claim.delivered_at)
        others = own.difference(claimed)
        self._busy -= others
        own -= others
        self._changed.set()
        notices: dict[EventName, Notice] = {}
        for name in claimed:
            notice = await self._notice(name, claims[name], detailed=len(claimed) <= MAX_DETAILED)
            if notice is not None:
                notices[name] = notice
        ended = [name for name in claimed if name not in notices]
        for name in ended:
            if (entry := self._entries.get(name)) is not None:
                entry.due = self._schedule.clock() + END_DELAY
        await self._update(self._leases.release, ended)
        if notices:
            await self._deliver(notices)

    async def _notice(self, name: EventName, claim: Claim, *, detailed: bool) -> Notice | None:
        event = self._source.get(name)
        if event is not None and event.partial and detailed:
            event = await self._source.detailed(event)
        entry = self._entries.get(name)
        if event is None or entry is None or not event.pending:
            return None
        identity = json.encode([*name, claim.delivered_at])
        reason = entry.reason if claim.delivered_at is None else "reminder"
        return Notice(hashlib.sha256(identity).hexdigest()[:32], name, event, reason)

    async def _deliver(self, notices: dict[EventName, Notice]) -> None:
        names, timeout = [*notices], self._schedule.timeout
        entries = [entry for name in names if (entry := self._entries.get(name)) is not None]
        try:
            async with asyncio.timeout(timeout):
                await self._channel.deliver([*notices.values()])
        except TimeoutError:
            error = DeliveryFailed(f"it did not finish within {timeout:g} s")
            await self._fail(names, entries, error)
        except DeliveryFailed as error:
            await self._fail(names, entries, error)
        else:
            now = self._schedule.clock()
            self._last_warning = ""
            self._pauses, self._resume_at = 0, -math.inf
            await self._update(self._leases.record, names)
            logger.info("%s: notified of %s", self._channel.name, quantity(len(names), "event"))
            for entry in entries:
                entry.due, entry.failures = self._next(now), 0
            if ended := [name for name in names if name not in self._entries]:
                await self._channel.withdraw(ended)

    async def _fail(
        self, names: Sequence[EventName], entries: Sequence[_Entry], error: DeliveryFailed
    ) -> None:
        what = f"{self._channel.name}: {quantity(len(names), 'event')} not delivered"
        if not error.retryable:
            logger.error("%s: %s", what, error)
            for entry in entries:
                entry.due = math.inf
            await self._update(self._leases.release, names)
            return
        failures = max((entry.failures for entry in entries), default=0) + 1
        delay = max(backoff(failures, RETRY_DELAY, MAX_RETRY_DELAY), error.retry_after or 0.0)
        delay = min(delay, MAX_LEASE)
        level = logging.INFO
        if failures in (1, 10) and str(error) != self._last_warning:
            level, self._last_warning = logging.WARNING, str(error)
        logger.log(level, "%s, next attempt in %.0f s: %s", what, delay, error)
        now = self._schedule.clock()
        for entry in entries:
            entry.due, entry.failures = now + delay, failures
        if error.affects_all:
            self._pauses += now >= self._resume_at  # several deliveries may fail together
            pause = max(backoff(self._pauses, RETRY_DELAY, MAX_PAUSE), error.retry_after or 0.0)
            self._resume_at = max(self._resume_at, now + min(pause, MAX_LEASE))
        if error.retry_after is None:  # another process may be able to deliver
            await self._update(self._leases.release, names)
        else:
            await self._update(self._leases.postpone, names, delay)

    def _next(self, delivered_at: float | None) -> float:
        """Return when an event that was delivered is due again."""
        if self._schedule.remind is None:
            return math.inf
        now = self._schedule.clock()
        return min(now if delivered_at is None else delivered_at, now) + self._schedule.remind

    async def _withdraw(self) -> None:
        while self._withdrawn:
            names, self._withdrawn = self._withdrawn, []
            await self._channel.withdraw(names)

    async def _claim(self, names: Sequence[EventName]) -> Sequence[Claim]:
        """Claim some events; if that is impossible, all that are not known as delivered."""
        batch, remind = self._channel.batch, self._schedule.remind
        try:
            return await run_in_thread(self._leases.claim, names, batch, remind)
        except LeasesUnavailable as error:
            self._report(error)
        claims = [Claim("free") for _ in names]
        with suppress(LeasesUnavailable):  # they can be read if only the disk is full
            claims = [*await run_in_thread(self._leases.claim, names, 0, remind)]
        free = [index for index, claim in enumerate(claims) if claim.status == "free"]
        for index in free[:batch]:
            claims[index] = Claim("claimed", claims[index].delivered_at)
        return claims

    async def _update(
        self, update: Callable[..., None], names: Sequence[EventName] | None = None, *more: float
    ) -> None:
        """Change leases, of some events or of all; nothing if there are none."""
        if names is not None and not names:
            return
        try:
            await run_in_thread(update, *([] if names is None else [names]), *more)
        except LeasesUnavailable as error:
            self._report(error)

    def _report(self, error: LeasesUnavailable) -> None:
        if not self._leases_failed:
            self._leases_failed = True
            logger.warning("several processes may notify of the same event: %s", error)
