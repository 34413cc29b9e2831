"""The runs and events that complete a word, as the embedded store has them.

A shell completes while its user waits: a deployment is not asked, and a process that completes ends
if the store is locked.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from flyte_sidecar._futures import MaybeAwaitable, resolve
from flyte_sidecar.cli.opened import opened
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.model import (
    MAX_PAGE_LIMIT,
    PAUSED,
    Event,
    EventPage,
    Query,
    RunPage,
    RunsQuery,
)
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options

P = TypeVar("P", EventPage, RunPage)
Q = TypeVar("Q", Query, RunsQuery)
T = TypeVar("T")

MAX_PAGES = 10
"""Pages that are read; values of later ones are not completed."""

READ_TIMEOUT = 1.0
"""Seconds after which the process ends. To open a locked store takes longer, even if cancelled."""


def run_names(options: Options, *, pending_only: bool = True) -> list[str]:
    """Return the names of the newest runs, or of those with events that wait for an answer."""
    return _read(options, partial(_run_names, pending_only=pending_only))


def events(options: Options, run: str, *, pending_only: bool = True) -> list[Event]:
    """Return the oldest events of a run, or those that wait for an answer."""
    return _read(options, partial(_events, run=run, pending_only=pending_only))


def completable(values: Iterable[str], beginning: str) -> list[str]:
    """Return the values that complete the beginning of a word, sorted.

    Values are other people's text. Those that a shell cannot show as they are, or that would be
    options, are left out.
    """
    return sorted(
        value
        for value in {*values}
        if value.startswith(beginning) and value.isprintable() and not value.startswith("-")
    )


def _read(options: Options, read: Callable[[EventService], Awaitable[list[T]]]) -> list[T]:
    """Return what is read from the store; nothing if it cannot be used, or does not exist yet."""

    async def read_store() -> list[T]:
        async with opened(options) as service:
            return await read(service)

    if not os.path.exists(options.store):
        return []
    timer = threading.Timer(READ_TIMEOUT, os._exit, (0,))
    timer.daemon = True
    timer.start()
    try:
        return asyncio.run(read_store())
    except SidecarError:
        return []
    finally:
        timer.cancel()


async def _run_names(service: EventService, pending_only: bool) -> list[str]:
    scope = service.scope(None, None, None)
    query = RunsQuery(scope=scope, pending_only=pending_only, limit=MAX_PAGE_LIMIT)
    return [run.run_name async for page in _pages(service.runs, query) for run in page.runs]


async def _events(service: EventService, run: str, pending_only: bool) -> list[Event]:
    phases = (PAUSED,) if pending_only else None
    query = Query(run=service.run(run), phases=phases, limit=MAX_PAGE_LIMIT)
    return [event async for page in _pages(service.page, query) for event in page.events]


async def _pages(read: Callable[[Q], MaybeAwaitable[P]], query: Q) -> AsyncIterator[P]:
    for _ in range(MAX_PAGES):
        page = await resolve(read(query))
        yield page
        if page.next_cursor is None:
            return
        query = replace(query, cursor=page.next_cursor)
