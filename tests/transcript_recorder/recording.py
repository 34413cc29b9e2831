"""Plays a conversation with a real sidecar and records it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flyte_sidecar.conformance.placeholders import normalize
from tests.e2e.process import Process
from tests.transcript_recorder.conversations import CONVERSATIONS, CURSOR, ID_OF, Step


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
    known: dict[str, str] = {}  # by what stands for it
    for step in steps:
        text = json.dumps(step.message)
        for placeholder, value in known.items():
            text = text.replace(json.dumps(placeholder), json.dumps(value))
        message = json.loads(text)
        sidecar.send(message)
        lines.append({"client": message})
        # Responses and notifications may come in any order.
        for received in sorted(sidecar.answers(step.awaited), key=lambda item: "method" in item):
            lines.append({"sidecar": received})
            result = received.get("result") or {}
            if "nextCursor" in result:
                known[CURSOR] = result["nextCursor"]
            elif "actionName" in result:
                known[ID_OF + result["name"]] = result["actionName"]
    return lines
