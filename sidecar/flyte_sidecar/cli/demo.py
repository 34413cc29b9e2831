"""Two real sidecars over one store, told so that a person can follow: `flyte-sidecar demo`.

One stands for the run that asks and waits, the other for the editor in which somebody
answers. They are separate processes and share nothing but the store's file.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import Any

from msgspec import json

from flyte_sidecar.cli import terminal
from flyte_sidecar.client import Client
from flyte_sidecar.errors import SidecarError

RUN = "training-7"

PATIENCE = 30.0
"""Seconds after which a notification will not come any more."""


def demo() -> int:
    """Show it; gives 0 if everything went as told."""
    with tempfile.TemporaryDirectory(prefix="flyte-sidecar-demo-") as folder:
        asyncio.run(_show(os.path.join(folder, "events.db")))
    return 0


async def _show(store: str) -> None:
    where = ("--backend", "local", "--store", store)
    _tell(f"Two sidecars start over one store, {store}.")
    async with Client.spawn(*where) as run, Client.spawn(*where) as editor:
        _trace(run, "run   ")
        _trace(editor, "editor")

        print("(Of an event, what matters here is shown.)")

        _tell("Each says hello. (Nothing requires it: editors do so.)")
        await run.request("initialize", processId=os.getpid())
        hello = await editor.request("initialize", processId=os.getpid())
        assert hello["serverInfo"]["name"] == "flyte-sidecar"

        _tell("The editor watches for whatever any run asks. Nothing stands open so far.")
        told = _Told(editor)
        watching = asyncio.ensure_future(editor.request("events.watch", watch="inbox"))
        await told.next("events.synced")

        _tell(f"The run {RUN} asks a question. The editor is told, in the other process.")
        await run.request(
            "events.create", runName=RUN, name="deploy", prompt="Deploy the model to production?"
        )
        event = await told.change("created")
        assert event["prompt"] == "Deploy the model to production?"

        _tell("The run waits for the answer; the reply will come when there is one.")
        waiting = asyncio.ensure_future(run.request("events.wait", runName=RUN, name="deploy"))
        while (await run.request("sidecar.status"))["counters"]["waits"] == 0:
            pass
        assert not waiting.done()

        _tell("Somebody says yes in the editor. The run's wait ends, and the watch tells it too.")
        await editor.request("events.signal", runName=RUN, name="deploy", payload=True)
        assert (await waiting)["payload"] is True
        assert (await told.change("resolved"))["name"] == "deploy"

        _tell("The run asks for a number. Payloads keep their type: a word is refused.")
        await run.request(
            "events.create",
            runName=RUN,
            name="threshold",
            prompt="Which threshold?",
            expectedType="float",
        )
        await told.change("created")
        refused = await _refusal(editor, name="threshold", payload="high")
        assert refused.kind == "payload_type_mismatch"
        await editor.request("events.signal", runName=RUN, name="threshold", payload=0.75)
        assert (await told.change("resolved"))["payload"] == 0.75

        _tell("The first answer stands: a second one is told so, and shown who was first.")
        refused = await _refusal(editor, name="deploy", payload=False)
        assert refused.kind == "already_signalled"
        assert refused.data["event"]["payload"] is True

        _tell("The editor has seen enough: the request that it watched by is answered at last.")
        await editor.request("events.unwatch", watch="inbox")
        assert (await watching)["reason"] == "cancelled"
    assert run.process.returncode == editor.process.returncode == 0
    _tell("Both sidecars ended by themselves when their input did. That is all there is to it.")


class _Told:
    """What a client's watch has told, to be taken in that order."""

    def __init__(self, client: Client) -> None:
        self._notes: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        client.on_notification = lambda method, params: self._notes.put_nowait((method, params))

    async def next(self, method: str) -> Any:
        """Wait for the next notification, which is to be of the method."""
        async with asyncio.timeout(PATIENCE):
            told, params = await self._notes.get()
        assert told == method, told
        return params

    async def change(self, change: str) -> Any:
        """Wait to be told of a change, and give the event."""
        params = await self.next("events.changed")
        assert params["change"] == change, params
        return params["event"]


async def _refusal(client: Client, **params: object) -> SidecarError:
    """Give the error that a signal is answered with."""
    try:
        await client.request("events.signal", runName=RUN, **params)
    except SidecarError as error:
        return error
    raise AssertionError("the signal was accepted")


def _tell(sentence: str) -> None:
    print("\n" + terminal.painter()(f"# {sentence}", terminal.BOLD), flush=True)


def _trace(client: Client, who: str) -> None:
    """Print each message that goes over the client's pipes."""

    def show(message: bytes, sent: bool) -> None:
        arrow, style = ("->", terminal.CYAN) if sent else ("<-", terminal.GREEN)
        print(f"{who} {arrow} {terminal.painter()(_short(message), style)}", flush=True)

    client.on_message = show


_TOLD = frozenset(
    ("name", "actionName", "runName", "phase", "pending", "expectedType", "prompt", "payload")
)


def _short(message: bytes) -> str:
    """Give a message without the members of events that say nothing here."""
    return json.encode(_shortened(json.decode(message))).decode()


def _shortened(value: Any) -> Any:
    if isinstance(value, list):
        return [_shortened(member) for member in value]
    if not isinstance(value, dict):
        return value
    is_event = "expectedType" in value and "phase" in value
    return {
        name: _shortened(member)
        for name, member in value.items()
        if name in _TOLD or (not is_event and name != "capabilities")
    }
