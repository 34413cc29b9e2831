"""`flyte-sidecar demo`: show two processes that share a store.

One sidecar serves a run that asks a question and waits, the other serves an editor in which a
person answers. The processes share nothing except the store's file. Where Flyte's SDK is installed,
a local run of a workflow follows.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from msgspec import json

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.client import Client
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.local_runs.hook import VARIABLE as LOCAL_RUNS_VARIABLE
from flyte_sidecar.server.settings import STORE_VARIABLE, Options, is_utf8

RUN = "training-7"

NOTIFICATION_TIMEOUT = 60.0
"""Seconds to wait for a notification. A local run needs some for its start."""

WORKFLOW = """\
import flyte

env = flyte.TaskEnvironment(name="demo")

@env.task
async def release() -> bool:
    condition = await flyte.new_condition.aio("deploy", prompt="Deploy the model?")
    approved = await condition.wait.aio()
    print("approved" if approved else "rejected")
    return approved

if __name__ == "__main__":
    flyte.with_runcontext(mode="local").run(release)
"""


def run(options: Options) -> int:
    """Print the messages of both processes; return 0 if all went as described."""
    if not is_utf8(tempfile.gettempdir()):
        folder = tempfile.gettempdir()
        raise UsageError(f"the folder for temporary files is not UTF-8: {folder!r}")
    with tempfile.TemporaryDirectory(prefix="flyte-sidecar-demo-") as folder:
        store = os.path.join(folder, "events.db")
        asyncio.run(_show_sidecars(store))
        sdk = _sdk_version()
        if sdk is not None and not asyncio.run(_show_local_run(Path(folder), store, sdk)):
            _explain("The local run has failed.")
            return 1
    _explain("The demo is complete.")
    return 0


async def _show_sidecars(store: str) -> None:
    arguments = ("--backend", "local", "--store", store)
    _explain(f"Start two sidecars that share the store {store}.")
    async with Client.spawn(*arguments) as run, Client.spawn(*arguments) as editor:
        _trace(run, "run   ")
        _trace(editor, "editor")
        print("(-> is a request, <- is a response or a notification. Events are abridged.)")

        _explain("Both clients initialize their connection. This is optional.")
        await run.request("initialize", processId=os.getpid())
        initialized = await editor.request("initialize", processId=os.getpid())
        assert initialized["serverInfo"]["name"] == "flyte-sidecar"

        _explain("The editor watches the pending events of all runs. There are none yet.")
        notifications = _Notifications(editor)
        watching = asyncio.ensure_future(editor.request("events.watch", watch="inbox"))
        await notifications.next("events.synced")

        _explain(f"The run {RUN} asks a question. The editor is notified.")
        await run.request(
            "events.create", runName=RUN, name="deploy", prompt="Deploy the model to production?"
        )
        event = await notifications.change("created")
        assert event["prompt"] == "Deploy the model to production?"

        _explain("The run waits for the answer. (sidecar.status shows when the wait is open.)")
        waiting = asyncio.ensure_future(run.request("events.wait", runName=RUN, name="deploy"))
        while (await run.request("sidecar.status"))["counters"]["waits"] == 0:
            pass
        assert not waiting.done()

        _explain("A person answers in the editor. The wait ends, and the watch reports the answer.")
        await editor.request("events.signal", runName=RUN, name="deploy", payload=True)
        assert (await waiting)["payload"] is True
        assert (await notifications.change("resolved"))["name"] == "deploy"

        _explain("The run asks for a number. Payloads are typed, so text is rejected.")
        await run.request(
            "events.create",
            runName=RUN,
            name="threshold",
            prompt="Which threshold?",
            expectedType="float",
        )
        await notifications.change("created")
        error = await _rejected_signal(editor, name="threshold", payload="high")
        assert error.kind == "payload_type_mismatch"
        await editor.request("events.signal", runName=RUN, name="threshold", payload=0.75)
        assert (await notifications.change("resolved"))["payload"] == 0.75

        _explain("The first answer wins. A different answer is an error that contains the first.")
        error = await _rejected_signal(editor, name="deploy", payload=False)
        assert error.kind == "already_signalled"
        assert error.data["event"]["payload"] is True

        _explain("The editor ends its watch. Now the events.watch request gets its response.")
        await editor.request("events.unwatch", watch="inbox")
        assert (await watching)["reason"] == "cancelled"
    assert run.process.returncode == editor.process.returncode == 0
    _explain("Both sidecars exited at the end of their input.")


def _sdk_version() -> tuple[int, int] | None:
    """Return the major and minor version of Flyte's SDK; None if it is missing or too old."""
    try:
        major, minor = map(int, version("flyte").split(".")[:2])
    except (PackageNotFoundError, ValueError):
        return None
    return (major, minor) if (major, minor) >= (2, 3) else None


async def _show_local_run(folder: Path, store: str, sdk: tuple[int, int]) -> bool:
    """Run a workflow and answer its condition; return whether the run has succeeded."""
    file = folder / "workflow.py"
    text = WORKFLOW if sdk >= (2, 5) else WORKFLOW.replace("new_condition", "new_event")
    file.write_text(text)
    _explain("Flyte's SDK is installed. A condition of a local run is an event too:")
    print(text)
    async with Client.spawn("--backend", "local", "--store", store) as editor:
        _trace(editor, "editor")
        notifications = _Notifications(editor)
        watching = asyncio.ensure_future(editor.request("events.watch", watch="inbox"))
        await notifications.next("events.synced")

        command = (sys.executable, str(file))
        _explain(f"Run {shlex.join(command)}, without a terminal. It waits at the condition.")
        run = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, STORE_VARIABLE: store, LOCAL_RUNS_VARIABLE: "on"},
        )
        try:
            waits = asyncio.Event()
            output = asyncio.ensure_future(_print_output(run, waits))
            created = asyncio.ensure_future(notifications.change("created"))
            await asyncio.wait((created, output), return_when=asyncio.FIRST_COMPLETED)
            if not created.done():
                created.cancel()
                return False
            event = created.result()
            async with asyncio.timeout(NOTIFICATION_TIMEOUT):
                await waits.wait()

            _explain("A person answers in the editor. The run continues with the value.")
            target = {"runName": event["runName"], "actionName": event["actionName"]}
            await editor.request("events.signal", **target, payload=True)
            async with asyncio.timeout(NOTIFICATION_TIMEOUT):
                await output
        finally:
            if run.returncode is None:
                run.kill()
                await run.wait()
        await editor.request("events.unwatch", watch="inbox")
        await watching
        return run.returncode == 0


async def _print_output(run: asyncio.subprocess.Process, waits: asyncio.Event) -> None:
    """Print the output of a process until its end; set the event once it has said that it waits."""
    assert run.stdout is not None
    async for line in run.stdout:
        text = sanitize(line.decode(errors="replace").rstrip("\n"))
        print(f"run    {terminal.painter()(text, terminal.YELLOW)}", flush=True)
        if text.startswith("flyte-sidecar: "):
            waits.set()
    waits.set()
    await run.wait()


class _Notifications:
    """The notifications of a client, in the order of arrival."""

    def __init__(self, client: Client) -> None:
        self._queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        client.on_notification = lambda method, params: self._queue.put_nowait((method, params))

    async def next(self, expected: str) -> Any:
        """Return the params of the next notification, which must have the expected method."""
        async with asyncio.timeout(NOTIFICATION_TIMEOUT):
            method, params = await self._queue.get()
        assert method == expected, method
        return params

    async def change(self, expected: str) -> Any:
        """Return the event of the next notification, which must report the expected change."""
        params = await self.next("events.changed")
        assert params["change"] == expected, params
        return params["event"]


async def _rejected_signal(client: Client, **params: object) -> SidecarError:
    """Send a signal and return its error."""
    try:
        await client.request("events.signal", runName=RUN, **params)
    except SidecarError as error:
        return error
    raise AssertionError("the signal was accepted")


def _explain(sentence: str) -> None:
    print("\n" + terminal.painter()(f"# {sentence}", terminal.BOLD), flush=True)


def _trace(client: Client, name: str) -> None:
    """Print every message of the client."""

    def show(message: bytes, sent: bool) -> None:
        arrow, style = ("->", terminal.CYAN) if sent else ("<-", terminal.GREEN)
        print(f"{name} {arrow} {terminal.painter()(_abridged(message), style)}", flush=True)

    client.on_message = show


_SHOWN = frozenset(
    ("name", "actionName", "runName", "phase", "pending", "expectedType", "prompt", "payload")
)


def _abridged(message: bytes) -> str:
    """Return a message without the members that do not matter here."""
    return json.encode(_abridge(json.decode(message))).decode()


def _abridge(value: Any) -> Any:
    if isinstance(value, list):
        return [_abridge(member) for member in value]
    if not isinstance(value, dict):
        return value
    is_event = "expectedType" in value and "phase" in value
    return {
        name: _abridge(member)
        for name, member in value.items()
        if name in _SHOWN or (not is_event and name != "capabilities")
    }
