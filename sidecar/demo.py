"""Two real sidecars over one store, told so that a person can follow: `flyte-sidecar demo`.

One stands for the run that asks and waits, the other for the editor in which somebody
answers. They are separate processes and share nothing but the store's file.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from typing import Any

from msgspec import json

from sidecar.client import Client, RequestError

RUN = "training-7"


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

        _tell(f"The run {RUN} asks two questions.")
        await run.request(
            "events.create", runName=RUN, name="deploy", prompt="Deploy the model to production?"
        )
        await run.request(
            "events.create",
            runName=RUN,
            name="threshold",
            prompt="Which threshold?",
            expectedType="float",
        )

        _tell("It waits for the answer to the first; the reply will come when there is one.")
        waiting = asyncio.ensure_future(run.request("events.wait", runName=RUN, name="deploy"))
        while (await run.request("sidecar.status"))["counters"]["waits"] == 0:
            pass

        _tell("The editor lists what stands open, and gets the question.")
        page = await editor.request("events.list", runName=RUN, phases=["PAUSED"])
        assert [event["name"] for event in page["events"]] == ["deploy", "threshold"]
        event = await editor.request("events.get", runName=RUN, name="deploy")
        assert event["prompt"] == "Deploy the model to production?"
        assert not waiting.done()

        _tell("Somebody says yes. Watch the run's wait end in the other process.")
        await editor.request("events.signal", runName=RUN, name="deploy", payload=True)
        answered = await waiting
        assert answered["payload"] is True

        _tell("Payloads keep their type: a threshold is a number.")
        refused = await _refusal(editor, name="threshold", payload="high")
        assert refused.kind == "payload_type_mismatch"
        event = await editor.request("events.signal", runName=RUN, name="threshold", payload=0.75)
        assert event["payload"] == 0.75

        _tell("The first answer stands: a second one is told so, and shown who was first.")
        refused = await _refusal(editor, name="deploy", payload=False)
        assert refused.kind == "already_signalled"
        assert refused.data["event"]["payload"] is True
    assert run.process.returncode == editor.process.returncode == 0
    _tell("Both sidecars ended by themselves when their input did. That is all there is to it.")


async def _refusal(client: Client, **params: object) -> RequestError:
    """Give the error that a signal is answered with."""
    try:
        await client.request("events.signal", runName=RUN, **params)
    except RequestError as error:
        return error
    raise AssertionError("the signal was accepted")


def _tell(sentence: str) -> None:
    print(f"\n# {sentence}" if not _colour() else f"\n\x1b[1m{sentence}\x1b[0m", flush=True)


def _trace(client: Client, who: str) -> None:
    """Print each message that goes over the client's pipes."""

    def show(message: bytes, sent: bool) -> None:
        arrow, colour = ("->", "36") if sent else ("<-", "32")
        text = _short(message)
        if _colour():
            text = f"\x1b[{colour}m{text}\x1b[0m"
        print(f"{who} {arrow} {text}", flush=True)

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


def _colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ
