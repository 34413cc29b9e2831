"""The current events and their changes: `flyte-sidecar watch [RUN] [--json]`."""

from __future__ import annotations

import asyncio
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence

from msgspec import Raw, Struct, field, json

from flyte_sidecar.cli import standard_streams, terminal
from flyte_sidecar.cli.arguments.values import add_json, scope_error, text
from flyte_sidecar.cli.in_process_client import InProcessClient, Response, fail, in_process_client
from flyte_sidecar.events.model import BACKEND_TITLES, SUCCEEDED, Event
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.protocol import methods, results
from flyte_sidecar.rpc.write_fd import write_fd
from flyte_sidecar.server.settings import Options

WATCH_NAME = "watch"
"""The name of the watch in its notifications."""

MAX_ALIGNED_COLUMNS = 40
"""Width above which a name no longer moves the columns of other lines."""


class _Params(Struct):
    watch: str
    run_name: str | None = field(name="runName")


class _Notification(Struct):
    method: str
    params: Raw


class _StdoutWriter:
    """Writes to stdout, and ends the connection when the reader of stdout is gone."""

    def __init__(self, client: InProcessClient) -> None:
        self.error: Exception | None = None
        self._connection = client.connection
        self._writer = write_fd(1, self)

    async def write(self, data: bytes) -> None:
        """Write data, and wait until it is written."""
        self._writer.write(data)
        await self._writer.drained()

    def close(self) -> None:
        self._writer.stop()

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, error: Exception | None) -> None:
        self.error = error
        self._connection.connection_lost(None)


def add_arguments(parser: ArgumentParser) -> None:
    """Add the operand and the option."""
    parser.add_argument(
        "run_name",
        metavar="RUN",
        nargs="?",
        type=text,
        help="name of the run (default: the pending events of all runs)",
    )
    add_json(parser, "notification of events.watch per line")


def run(options: Options, run_name: str | None, as_json: bool) -> int:
    """Print events and their changes until the watch ends, and return the exit status.

    Raises
    ------
    UsageError
        If an option must select a scope.
    OSError
        If stdout has no reader, or cannot be written.
    """
    standard_streams.require_stdout()
    return asyncio.run(_watch(options, run_name, as_json))


async def _watch(options: Options, run_name: str | None, as_json: bool) -> int:
    table = _Table()
    async with in_process_client(options) as client:
        stdout = _StdoutWriter(client)
        try:
            client.request("events.watch", Raw(json.encode(_Params(WATCH_NAME, run_name))))
            while not isinstance(message := await client.receive(), Response):
                if as_json:
                    await stdout.write(terminal.sanitize_json(message) + b"\n")
                else:
                    await _print(table, stdout, json.decode(message, type=_Notification))
        except BrokenPipeError:
            raise stdout.error or BrokenPipeError from None
        finally:
            stdout.close()
    if message.error is None:
        return 0
    wrong = scope_error(message.error.message, message.error.data.path)
    if wrong is not None:
        raise wrong
    return fail(message.error)


async def _print(table: _Table, stdout: _StdoutWriter, notification: _Notification) -> None:
    """Print a change of an event as a line of the table, and anything else to stderr."""
    method, params = notification.method, notification.params
    if method == methods.CHANGED.name:
        changed = json.decode(params, type=results.EventChanged)
        await stdout.write(terminal.line(table.row(changed.change, changed.event)))
    elif method == methods.DISCONNECTED.name:
        lost = json.decode(params, type=results.WatchDisconnected)
        reason = f"{lost.error.data.kind}: {sanitize(lost.error.message)}"
        _print_status(f"disconnected from {BACKEND_TITLES[lost.backend]}: {reason}")
    elif method == methods.RESYNCED.name:
        backend = json.decode(params, type=results.WatchResynced).backend
        _print_status(f"reconnected to {BACKEND_TITLES[backend]}; every change is shown")
    elif terminal.columns() is not None:
        _print_status("these are the current events; changes follow as they happen (Ctrl-C to end)")


def _print_status(message: str) -> None:
    print(f"flyte-sidecar: {message}", file=sys.stderr)


class _Table:
    """Formats events as lines of a table. Columns grow, as later events are not known yet."""

    def __init__(self) -> None:
        self._paint = terminal.painter()
        self._widths = [
            len(text) for text in ("12:34:56", "resolved", "", "", "float", "SUCCEEDED")
        ]

    def row(self, change: str, event: Event) -> str:
        run, name = sanitize(event.run_name), sanitize(event.name)
        columns = terminal.columns()
        if columns is not None:
            width = max(10, columns // 4)
            run, name = terminal.truncate(run, width), terminal.truncate(name, width)
        phase = sanitize(event.phase)
        cells = self._aligned(
            [_time(change, event), change, run, name, event.expected_type or "?", phase]
        )
        summary = sanitize(_summary(event))
        if columns is not None:
            left = columns - terminal.width("  ".join(cells)) - 2
            summary = terminal.truncate(summary, max(20, left))
        cells[3] = self._paint(cells[3], terminal.BOLD)
        cells[5] = self._paint(cells[5], _style(event))
        return "  ".join([*cells, summary]).rstrip()

    def _aligned(self, cells: Sequence[str]) -> list[str]:
        widths = [min(MAX_ALIGNED_COLUMNS, terminal.width(cell)) for cell in cells]
        self._widths = list(map(max, self._widths, widths))
        return list(map(terminal.pad, cells, self._widths))


def _time(change: str, event: Event) -> str:
    """Return the time of the change if it was today, else the day."""
    at = None
    if change in ("created", "resolved"):
        at = event.created_at if event.pending else event.ended_at
    # Not datetime: TZ may have an offset of a day or more, which datetime rejects.
    now = time.localtime()
    then = now if at is None else time.localtime(at.timestamp())
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%Y-%m-%d", then)


def _summary(event: Event) -> str:
    """Return the prompt of a pending event, else its answer or why it has none."""
    if event.pending:
        return event.prompt or ""
    if event.phase != SUCCEEDED:
        return event.abort_reason or event.prompt or ""
    answer = "answered" if event.payload is None else _answer(event)
    return f"{answer}, by {event.signalled_by}" if event.signalled_by else answer


def _answer(event: Event) -> str:
    """Return the payload as JSON. Numbers that are strings on the wire are not quoted."""
    if isinstance(event.payload, str) and event.expected_type != "str":
        return event.payload
    return json.encode(event.payload).decode()


def _style(event: Event) -> str:
    if event.pending:
        return terminal.YELLOW
    return terminal.GREEN if event.phase == SUCCEEDED else terminal.RED
