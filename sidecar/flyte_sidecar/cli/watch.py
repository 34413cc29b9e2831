"""Events told as they stand and change, without a client: `flyte-sidecar watch [RUN] [--json]`.

It is the watch of a connection whose client is whoever reads stdout: notes go the same way,
and a reader that is slow, or gone, is noticed in the same way.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any

from msgspec import json

from flyte_sidecar._futures import try_set_result, wait_all
from flyte_sidecar.cli import logs, standard_streams, terminal
from flyte_sidecar.events.coalescing import CoalescingQueue
from flyte_sidecar.events.model import SUCCEEDED, Event, Payload
from flyte_sidecar.events.payloads import for_json
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.watch_feed import WatchSelector
from flyte_sidecar.protocol import results
from flyte_sidecar.rpc.output_queue import OutputQueue
from flyte_sidecar.rpc.parent_process import watch_parent
from flyte_sidecar.rpc.requests import Call, Notice
from flyte_sidecar.rpc.responses import notification
from flyte_sidecar.rpc.write_fd import write_fd
from flyte_sidecar.server.settings import Options, make_backend
from flyte_sidecar.server.watches import OpenWatches

NAME = "watch"
"""What the notifications call the only watch that there is."""

ALIGNED = 40
"""Columns beyond which a long name no longer moves what stands after those of other lines."""


class _Reader:
    """Whoever reads stdout: the transport of an output, which it tells how the writing goes."""

    def __init__(self, output: OutputQueue[Notice]) -> None:
        self.gone: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._output = output
        self._writing = write_fd(1, self)
        output.transport = self

    def write(self, data: bytes) -> None:
        self._writing.write(data)

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    async def drained(self) -> None:
        await self._writing.drained()

    def pause_writing(self) -> None:
        self._output.full = True

    def resume_writing(self) -> None:
        self._output.resume()

    def connection_lost(self, error: Exception | None = None) -> None:
        self._output.close()
        try_set_result(self.gone, error)

    def stop(self) -> None:
        self._writing.stop()


def watch(options: Options, run_name: str | None, as_json: bool) -> int:
    """Print what stands and what changes until nothing can change; gives the exit status.

    Raises
    ------
    SidecarError
        If the watch ends with one.
    OSError
        If nobody reads stdout, or it cannot be written.
    """
    logs.set_up(options.log_level, options.log_file)
    standard_streams.require_stdout()
    asyncio.run(_watch(options, run_name, as_json))
    return 0


async def _watch(options: Options, run_name: str | None, as_json: bool) -> None:
    lines = _Lines()
    output: OutputQueue[Notice] = OutputQueue(_as_json if as_json else lines.of)
    reader = _Reader(output)
    if options.parent_pid is not None:
        watch_parent(options.parent_pid, reader.connection_lost)
    backend = make_backend(options)
    service = EventService(backend)
    feed = CoalescingQueue(WatchSelector(scope=service.scope(None, None, None), run_name=run_name))
    telling = OpenWatches().open(NAME, feed, service.watch(feed), Call(), output)
    ends: set[asyncio.Future[Any]] = {telling, reader.gone}
    remarking = asyncio.ensure_future(_remark(lines, output))
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await output.drained()
        await lines.remarks.join()
        if reader.gone.done():
            raise reader.gone.result() or BrokenPipeError
        telling.result()
    finally:
        remarking.cancel()
        telling.cancel()
        await wait_all([telling])
        reader.stop()
        await backend.close()


async def _remark(lines: _Lines, output: OutputQueue[Notice]) -> None:
    """Print remarks to stderr, each after the lines that came before it."""
    while True:
        remark = await lines.remarks.get()
        await output.drained()
        print(f"flyte-sidecar: {remark}", file=sys.stderr)
        lines.remarks.task_done()


def _as_json(notice: Notice) -> bytes:
    """Give a notification as on the wire."""
    message = notification(notice.method, results.encode(notice.params))
    return terminal.sanitize_json(message) + b"\n"


class _Lines:
    """Notifications as lines for a person, and as remarks that are no line of theirs.

    It cannot be known how wide the columns will have to be: they grow with what they hold.
    """

    def __init__(self) -> None:
        self.remarks: asyncio.Queue[str] = asyncio.Queue()
        self._paint = terminal.painter()
        self._widths = [
            len(words) for words in ("12:34:56", "resolved", "", "", "float", "SUCCEEDED")
        ]

    def of(self, notice: Notice) -> bytes | None:
        told = notice.params
        if isinstance(told, results.EventChanged):
            return terminal.line(self._line(told.change, told.event))
        if isinstance(told, results.WatchDisconnected):
            why = terminal.sanitize(told.error.message)
            self.remarks.put_nowait(f"lost for now: {told.error.data.kind}: {why}")
        elif isinstance(told, results.WatchResynced):
            self.remarks.put_nowait("found again, and all that was missed is told")
        elif terminal.columns() is not None:
            self.remarks.put_nowait("that is all for now; changes follow as they happen (Ctrl-C)")
        return None

    def _line(self, change: str, event: Event) -> str:
        run, name = terminal.sanitize(event.run_name), terminal.sanitize(event.name)
        room = terminal.columns()
        if room is not None:
            run, name = (terminal.truncate(words, max(10, room // 4)) for words in (run, name))
        phase = terminal.sanitize(event.phase)
        cells = self._aligned(
            [_time(change, event), change, run, name, event.expected_type or "?", phase]
        )
        words = terminal.sanitize(_words(event))
        if room is not None:
            words = terminal.truncate(words, max(20, room - terminal.width("  ".join(cells)) - 2))
        cells[3] = self._paint(cells[3], terminal.BOLD)
        cells[5] = self._paint(cells[5], _style(event))
        return "  ".join([*cells, words]).rstrip()

    def _aligned(self, cells: Sequence[str]) -> list[str]:
        wide = [min(ALIGNED, terminal.width(cell)) for cell in cells]
        self._widths = list(map(max, self._widths, wide))
        return list(map(terminal.pad, cells, self._widths))


def _time(change: str, event: Event) -> str:
    """Tell when the change was: the time if it was today, else the day."""
    at = None
    if change in ("created", "resolved"):
        at = event.created_at if event.pending else event.ended_at
    # Not datetime: TZ may name an offset of a day or more, for which that has no form.
    now = time.localtime()
    then = now if at is None else time.localtime(at.timestamp())
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%Y-%m-%d", then)


def _words(event: Event) -> str:
    """Give the question while it stands open, then what became of it."""
    if event.pending:
        return event.prompt or ""
    if event.phase != SUCCEEDED:
        return event.abort_reason or event.prompt or ""
    answer = "answered" if event.payload is None else _answer(event.payload)
    return f"{answer}, by {event.signalled_by}" if event.signalled_by else answer


def _answer(payload: Payload) -> str:
    """Give a payload as JSON, but for the numbers that JSON has no form for."""
    safe = for_json(payload)
    if isinstance(safe, str) and not isinstance(payload, str):
        return safe
    return json.encode(safe).decode()


def _style(event: Event) -> str:
    if event.pending:
        return terminal.YELLOW
    return terminal.GREEN if event.phase == SUCCEEDED else terminal.RED
