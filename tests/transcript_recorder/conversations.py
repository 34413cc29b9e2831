"""The conversations to record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.e2e.process import request

CURSOR = "the cursor of the previous page"
ID_OF = "the id of "
"""Begins what stands for the id of an event, before its name."""


@dataclass(frozen=True)
class Step:
    """A message of the client, and the number of messages to await before the next one."""

    message: dict[str, Any]
    awaited: int = 1


def call(request_id: int, method: str, *, awaited: int = 1, **params: Any) -> Step:
    return Step(request(request_id, method, **params), awaited)


def notify(method: str, *, awaited: int = 0, **params: Any) -> Step:
    message = {"jsonrpc": "2.0", "method": method}
    return Step({**message, "params": params} if params else message, awaited)


RUN: dict[str, Any] = {"runName": "training-7"}
DEPLOY = {**RUN, "name": "deploy"}
COUNT = {**RUN, "name": "count"}
RATE = {**RUN, "name": "rate"}
NOTE = {**RUN, "name": "note"}


def event_id(name: str) -> dict[str, Any]:
    return {**RUN, "actionName": ID_OF + name}


CONVERSATIONS: dict[str, tuple[str, list[Step]]] = {
    "initialize": (
        "A client initializes the connection, gets the status, cancels a login that is not shown,"
        " and shuts the sidecar down.",
        [
            call(1, "initialize", processId=None),
            notify("initialized"),
            call(2, "sidecar.status"),
            call(3, "sidecar.cancelLogin", url="https://login.example.com/device"),
            call(4, "shutdown"),
            notify("exit"),
        ],
    ),
    "signal": (
        "A run asks a question, and a client lists and answers it. The first answer wins.",
        [
            call(1, "events.create", **DEPLOY, prompt="Deploy the model to production?"),
            call(2, "events.list", **RUN, phases=["PAUSED"]),
            call(3, "events.get", **DEPLOY),
            call(4, "events.get", **RUN, name="nothing"),
            call(5, "events.signal", **DEPLOY, payload=True),
            call(6, "events.signal", **DEPLOY, payload=True),
            call(7, "events.signal", **DEPLOY, payload=False),
            call(8, "events.wait", **DEPLOY),
        ],
    ),
    "payloads": (
        "Payloads keep their type: integers that doubles would round, numbers that are not finite,"
        " doubles that encoders write as integers, and text that looks like a number.",
        [
            call(1, "events.create", **COUNT, expectedType="int"),
            call(2, "events.signal", **COUNT, payload="9223372036854775807"),
            call(3, "events.create", **RATE, expectedType="float"),
            call(4, "events.signal", **RATE, payload="NaN", payloadType="float"),
            call(5, "events.create", **RUN, name="share", expectedType="float"),
            call(6, "events.signal", **RUN, name="share", payload=3.0),
            call(7, "events.create", **NOTE, expectedType="str", prompt="Größe? 大小?"),
            call(8, "events.signal", **NOTE, payload="9007199254740993"),
            call(9, "events.create", **RUN, name="weight", expectedType="float"),
            call(10, "events.signal", **RUN, name="weight", payload=1152921504606847000),
            call(11, "events.list", **RUN, details=True),
        ],
    ),
    "several": (
        "A client answers several events at once, and aborts the others. Each has its own result.",
        [
            call(1, "events.create", **DEPLOY),
            call(2, "events.create", **COUNT, expectedType="int"),
            call(3, "events.create", **NOTE, expectedType="str"),
            call(4, "events.signal", **NOTE, payload="by hand"),
            call(
                5,
                "events.signalMany",
                events=[event_id("deploy"), event_id("count"), {**RUN, "actionName": "a9"}],
                payload=True,
            ),
            call(
                6,
                "events.abortMany",
                events=[event_id("deploy"), event_id("count"), event_id("note")],
                reason="no longer needed",
            ),
        ],
    ),
    "errors": (
        "Requests that fail, and their errors. Clients match on the kind.",
        [
            call(1, "events.signal", **DEPLOY, payload=True),
            call(2, "events.create", **DEPLOY),
            call(3, "events.create", **DEPLOY),
            call(4, "events.signal", **DEPLOY, payload="yes"),
            call(5, "events.create", **DEPLOY, parent="a1"),
            call(6, "events.signal", **DEPLOY, payload=True),
            call(7, "events.abort", **DEPLOY, parent="a1", reason="no longer needed"),
            call(8, "events.signal", **DEPLOY, parent="a1", payload=True),
            call(9, "events.list", **RUN, limit=5000),
            call(10, "events.list", **RUN, cursor="unknown"),
            call(11, "events.approve", **DEPLOY),
        ],
    ),
    "waits": (
        "A wait ends when the event is resolved, after its timeout, or when it is cancelled.",
        [
            call(1, "events.create", **DEPLOY),
            call(2, "events.wait", **DEPLOY, timeoutSeconds=0.01),
            call(3, "events.wait", **DEPLOY, awaited=0),
            notify("$/cancelRequest", id=3, awaited=1),
            call(4, "events.wait", **DEPLOY, awaited=0),
            call(5, "events.signal", **DEPLOY, payload=True, awaited=2),
        ],
    ),
    "watch": (
        "A watch reports the current events, then every change, until it ends.",
        [
            call(1, "events.create", **DEPLOY),
            call(2, "events.watch", watch="w1", **RUN, awaited=2),
            call(3, "events.create", **RATE, expectedType="float", awaited=2),
            call(4, "events.signal", **RATE, payload=0.75, awaited=2),
            call(5, "events.abort", **DEPLOY, reason="no longer needed", awaited=2),
            call(6, "events.unwatch", watch="w1", awaited=2),
        ],
    ),
    "pages": (
        "Listings come in pages. The last page has no cursor.",
        [
            *(call(n, "events.create", **RUN, name=f"question-{n}") for n in (1, 2, 3)),
            call(4, "events.list", **RUN, limit=2),
            call(5, "events.list", **RUN, limit=2, cursor=CURSOR),
            call(6, "events.pending", limit=2),
            call(7, "runs.list", pendingOnly=True),
        ],
    ),
}
