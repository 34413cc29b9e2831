"""The language server: start of an editor session, edits, and lens refreshes."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from pygls.protocol import default_converter
from pytest_lsp import client_capabilities

from benchmarks.client import Header, Server, encode
from benchmarks.peers import HERE, sidecar
from benchmarks.report import Figure, figures, percentile
from benchmarks.run_size import RunSize
from benchmarks.store import named, serve

LINES, EVENTS = 5_000, 50
"""Lines of the edited file, and events that it declares."""

MIN_GETS = 100
"""Number of `events.get` that are measured at least."""

URI = "file:///workflow.py"

_TASK = """
@env.task
async def task_{0}(x: int) -> bool:
    values = [item * x for item in range({0}) if item % 2]
"""
_LINE = "    values = [*values, sum(values[{1}:])] if values else values + [x, len(values)]\n"
_WAIT = """\
    condition = await flyte.new_condition.aio("event-{0:06}", prompt="Continue?", data_type=bool)
    if await condition.wait.aio():
        return bool(values)
    return False

"""


class EditorServer(Server):
    """A language server, and an editor that supports what VS Code does."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__(command, Header)
        self.refreshes = 0

    def initialize(self) -> None:
        """Send `initialize` and `initialized`, and wait for the response."""
        self.request("initialize", processId=None, rootUri=None, capabilities=CAPABILITIES)
        self.notify("initialized", {})

    def open(self, text: str) -> None:
        item = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def notify(self, method: str, params: Any) -> None:
        self.send(msgspec.json.encode({"jsonrpc": "2.0", "method": method, "params": params}))

    def receive(self) -> bytes:
        """Return the next response."""
        while (body := self._handle_next()) is None:
            pass
        return body

    def wait_for_refresh(self) -> None:
        """Wait until the server asks for a refresh of the lenses once more."""
        seen = self.refreshes
        while self.refreshes == seen:
            self._handle_next()

    def _handle_next(self) -> bytes | None:
        """Return the next message if it is a response; respond to it if it is a request."""
        body = super().receive()
        message = msgspec.json.decode(body)
        if "method" not in message:
            return body
        self.refreshes += message["method"] == "workspace/codeLens/refresh"
        if "id" in message:
            result = [None] if message["method"] == "workspace/configuration" else None
            response = {"jsonrpc": "2.0", "id": message["id"], "result": result}
            self.send(msgspec.json.encode(response))
        return None

    def lenses(self) -> Any:
        return self.request("textDocument/codeLens", textDocument={"uri": URI})


CAPABILITIES = default_converter().unstructure(client_capabilities("visual-studio-code"))


def editor(folder: Path, size: RunSize) -> str:
    """Measure the language server."""
    parts = (_start, _while_loading, _edits, _refreshes)
    return "\n\n".join(part(folder, size) for part in parts)


def source(lines: int, events: int) -> str:
    """Return a workflow of about this many lines, whose tasks wait for one event each."""
    head = 'import flyte\n\nenv = flyte.TaskEnvironment(name="benchmark")\n'
    filler = lines // events - (_TASK + _WAIT).count("\n")
    tasks = (
        _TASK.format(place)
        + "".join(_LINE.format(place, line) for line in range(filler))
        + _WAIT.format(place)
        for place in range(events)
    )
    return head + "".join(tasks)


def _start(folder: Path, size: RunSize) -> str:
    """Measure the start of a session, and compare it with pygls alone."""
    own = sidecar(folder / "started.db", Header).command
    alone = (sys.executable, str(HERE / "pygls_language_server.py"))
    for command in (own, alone):
        _session(command)  # so that all programs are compiled and cached
    times = [(_session(own), _session(alone)) for _ in range(size.rounds)]
    names = ("response to initialize", "first lenses")
    return figures(
        "from the start of the process, in turn with pygls alone",
        [
            figure
            for place, name in enumerate(names)
            for figure in (
                Figure(f"{name}, ms", [mine[place] * 1e3 for mine, _ in times]),
                Figure(f"{name}, pygls alone, ms", [theirs[place] * 1e3 for _, theirs in times]),
                Figure(
                    f"{name}, ratio",
                    [mine[place] / theirs[place] for mine, theirs in times],
                    "at most 1",
                ),
            )
        ],
    )


def _session(command: Sequence[str]) -> tuple[float, float]:
    """Return the seconds until the response to `initialize`, and until the first lenses."""
    start = time.perf_counter()
    with EditorServer(command) as server:
        server.initialize()
        initialized = time.perf_counter() - start
        server.open(source(100, 2))
        server.lenses()
        return initialized, time.perf_counter() - start


def _while_loading(folder: Path, size: RunSize) -> str:
    """Measure `events.get` until the language server is loaded, and afterwards."""
    loading, loaded = [], []
    with serve(folder / "loading.db") as other:
        other.request("events.create", **named(0))
        for _ in range(size.rounds):
            with EditorServer(sidecar(folder / "loading.db", Header).command) as server:
                server.request("events.get", **named(0))
                server.initialize()
                loading.append(percentile(_gets_until_symbols(server), 50) * 1e3)
                loaded.append(percentile(_gets_until_symbols(server), 50) * 1e3)
    return figures(
        "events.get, p50 of a round in ms",
        [Figure("while the language server loads", loading), Figure("afterwards", loaded)],
    )


def _gets_until_symbols(server: EditorServer) -> list[float]:
    """Return the seconds of each `events.get` until the language server responds."""
    symbols, done = -1, False
    times: list[float] = []
    server.send(_request(symbols, "textDocument/documentSymbol", textDocument={"uri": URI}))
    while not done or len(times) < MIN_GETS:
        request = _request(len(times), "events.get", **named(0))
        start = time.perf_counter()
        server.send(request)
        while msgspec.json.decode(server.receive())["id"] == symbols:
            done = True
        times.append(time.perf_counter() - start)
    return times


def _request(request_id: int, method: str, **params: Any) -> bytes:
    request = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}
    return msgspec.json.encode(request)


def _edits(folder: Path, size: RunSize) -> str:
    """Measure the time from a change of the text to the updated lenses."""
    with serve(folder / "edited.db") as other:
        other.request("events.create", **named(0))
        with EditorServer(sidecar(folder / "edited.db", Header).command) as server:
            server.initialize()
            server.open(source(LINES, EVENTS))
            while not server.lenses():
                pass
            times = [_edit(server, version) for version in range(2, size.waits + 2)]
    return figures(
        f"keystroke to lenses, {LINES:,} lines with {EVENTS} events, {size.waits} times",
        [
            Figure("p50, ms", [percentile(times, 50) * 1e3], "below 20"),
            Figure("p99, ms", [percentile(times, 99) * 1e3]),
        ],
    )


def _edit(server: EditorServer, version: int) -> float:
    """Type one character in the middle of the file, and return the seconds until the lenses."""
    line = LINES // 2 + version % 50
    place = {"line": line, "character": 0}
    change = {"range": {"start": place, "end": place}, "text": " "}
    start = time.perf_counter()
    document = {"uri": URI, "version": version}
    server.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
    assert server.lenses()
    return time.perf_counter() - start


def _refreshes(folder: Path, size: RunSize) -> str:
    """Measure the time from a change of the store to `workspace/codeLens/refresh`."""
    times = []
    with serve(folder / "refreshed.db") as other:
        other.request("events.create", **named(0))
        with EditorServer(sidecar(folder / "refreshed.db", Header).command) as server:
            server.initialize()
            server.open(source(size.waits * 20, size.waits + 1))
            while not server.lenses():
                pass
            for place in range(1, size.waits + 1):
                [create] = encode("events.create", [named(place)])
                time.sleep(random.uniform(0.1, 0.2))
                start = time.perf_counter()
                other.send(create)
                server.wait_for_refresh()
                times.append(time.perf_counter() - start)
                other.receive()
    return figures(
        f"events.create in one process to a refresh of the lenses, {size.waits} times",
        [
            Figure("p50, ms", [percentile(times, 50) * 1e3], "below 50"),
            Figure("p99, ms", [percentile(times, 99) * 1e3]),
        ],
    )
