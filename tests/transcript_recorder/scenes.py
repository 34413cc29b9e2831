"""What the recorded clients ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.e2e.process import request

CURSOR = "the cursor of the page before"


@dataclass(frozen=True)
class Step:
    """A message of the client's, and how many messages come before it sends the next one."""

    message: dict[str, Any]
    awaited: int = 1


def ask(identity: int, method: str, *, awaited: int = 1, **params: Any) -> Step:
    return Step(request(identity, method, **params), awaited)


def tell(method: str, *, awaited: int = 0, **params: Any) -> Step:
    message = {"jsonrpc": "2.0", "method": method}
    return Step({**message, "params": params} if params else message, awaited)


RUN: dict[str, Any] = {"runName": "training-7"}
DEPLOY = {**RUN, "name": "deploy"}
COUNT = {**RUN, "name": "count"}
RATE = {**RUN, "name": "rate"}
NOTE = {**RUN, "name": "note"}

SCENES: dict[str, tuple[str, list[Step]]] = {
    "hello": (
        "A client says hello, asks how the sidecar is, and ends it.",
        [
            ask(1, "initialize", processId=None),
            tell("initialized"),
            ask(2, "sidecar.status"),
            ask(3, "shutdown"),
            tell("exit"),
        ],
    ),
    "answer": (
        "A run asks; somebody looks at what it asks, and answers. The first answer stands.",
        [
            ask(1, "events.create", **DEPLOY, prompt="Deploy the model to production?"),
            ask(2, "events.list", **RUN, phases=["PAUSED"]),
            ask(3, "events.get", **DEPLOY),
            ask(4, "events.get", **RUN, name="nothing"),
            ask(5, "events.signal", **DEPLOY, payload=True),
            ask(6, "events.signal", **DEPLOY, payload=True),
            ask(7, "events.signal", **DEPLOY, payload=False),
            ask(8, "events.wait", **DEPLOY),
        ],
    ),
    "types": (
        "Payloads keep their type: whole numbers that doubles would round, numbers that are not"
        " finite, doubles that encoders write as integers, and words that look like numbers.",
        [
            ask(1, "events.create", **COUNT, expectedType="int"),
            ask(2, "events.signal", **COUNT, payload="9223372036854775807"),
            ask(3, "events.create", **RATE, expectedType="float"),
            ask(4, "events.signal", **RATE, payload="NaN", payloadType="float"),
            ask(5, "events.create", **RUN, name="share", expectedType="float"),
            ask(6, "events.signal", **RUN, name="share", payload=3.0),
            ask(7, "events.create", **NOTE, expectedType="str", prompt="Größe? 大小?"),
            ask(8, "events.signal", **NOTE, payload="9007199254740993"),
            ask(9, "events.create", **RUN, name="weight", expectedType="float"),
            ask(10, "events.signal", **RUN, name="weight", payload=1152921504606847000),
            ask(11, "events.list", **RUN, details=True),
        ],
    ),
    "refusals": (
        "What cannot be done, and how that is told: match on the kind.",
        [
            ask(1, "events.signal", **DEPLOY, payload=True),
            ask(2, "events.create", **DEPLOY),
            ask(3, "events.create", **DEPLOY),
            ask(4, "events.signal", **DEPLOY, payload="yes"),
            ask(5, "events.create", **DEPLOY, parent="a1"),
            ask(6, "events.signal", **DEPLOY, payload=True),
            ask(7, "events.abort", **DEPLOY, parent="a1", reason="no longer needed"),
            ask(8, "events.signal", **DEPLOY, parent="a1", payload=True),
            ask(9, "events.list", **RUN, limit=5000),
            ask(10, "events.list", **RUN, cursor="none of ours"),
            ask(11, "events.approve", **DEPLOY),
        ],
    ),
    "waits": (
        "A wait is answered once the event is, or when its time is up, or when it is cancelled.",
        [
            ask(1, "events.create", **DEPLOY),
            ask(2, "events.wait", **DEPLOY, timeoutSeconds=0.01),
            ask(3, "events.wait", **DEPLOY, awaited=0),
            tell("$/cancelRequest", id=3, awaited=1),
            ask(4, "events.wait", **DEPLOY, awaited=0),
            ask(5, "events.signal", **DEPLOY, payload=True, awaited=2),
        ],
    ),
    "watch": (
        "A watch tells what stands, then what changes, until it is ended.",
        [
            ask(1, "events.create", **DEPLOY),
            ask(2, "events.watch", watch="w1", **RUN, awaited=2),
            ask(3, "events.create", **RATE, expectedType="float", awaited=2),
            ask(4, "events.signal", **RATE, payload=0.75, awaited=2),
            ask(5, "events.abort", **DEPLOY, reason="no longer needed", awaited=2),
            ask(6, "events.unwatch", watch="w1", awaited=2),
        ],
    ),
    "pages": (
        "Listings come in pages; a page without a cursor is the last.",
        [
            *(ask(n, "events.create", **RUN, name=f"question-{n}") for n in (1, 2, 3)),
            ask(4, "events.list", **RUN, limit=2),
            ask(5, "events.list", **RUN, limit=2, cursor=CURSOR),
            ask(6, "events.pending", limit=2),
            ask(7, "runs.list", pendingOnly=True),
        ],
    ),
}
