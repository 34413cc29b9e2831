"""Plays a conversation with a real sidecar and records it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.process import Process
from tests.transcript_recorder.conversations import CONVERSATIONS, CURSOR, Step
from tests.transcript_recorder.normalize import normalize


def record(name: str, store: Path) -> str:
    """Play a conversation on a new store, and return its transcript."""
    about, steps = CONVERSATIONS[name]
    sidecar = Process(store)
    try:
        lines = [{"about": about}, *_play(sidecar, steps)]
        sidecar.end_input()
        assert (sidecar.read_all(), sidecar.status()) == ([], 0)
    finally:
        sidecar.clear()
    compact = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
    return normalize("".join(f"{line}\n" for line in compact))


def _play(sidecar: Process, steps: list[Step]) -> list[dict[str, Any]]:
    lines = []
    cursor = None
    for step in steps:
        message = step.message
        if message.get("params", {}).get("cursor") == CURSOR:
            message = {**message, "params": {**message["params"], "cursor": cursor}}
        sidecar.send(message)
        lines.append({"client": message})
        # Responses and notifications may come in any order.
        for received in sorted(sidecar.answers(step.awaited), key=lambda item: "method" in item):
            lines.append({"sidecar": received})
            cursor = (received.get("result") or {}).get("nextCursor", cursor)
    return lines
