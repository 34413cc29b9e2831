"""A conversation with a real sidecar, written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.process import Process
from tests.transcript_recorder.normal import normal
from tests.transcript_recorder.scenes import CURSOR, SCENES, Step


def record(name: str, store: Path) -> str:
    """Play a scene on a store that does not exist yet, and give its transcript."""
    about, steps = SCENES[name]
    sidecar = Process(store)
    try:
        lines = [{"about": about}, *_played(sidecar, steps)]
        sidecar.end_input()
        assert (sidecar.rest(), sidecar.status()) == ([], 0)
    finally:
        sidecar.clear()
    compact = (json.dumps(line, ensure_ascii=False, separators=(",", ":")) for line in lines)
    return normal("".join(f"{line}\n" for line in compact))


def _played(sidecar: Process, steps: list[Step]) -> list[dict[str, Any]]:
    lines = []
    cursor = None
    for step in steps:
        message = step.message
        if message.get("params", {}).get("cursor") == CURSOR:
            message = {**message, "params": {**message["params"], "cursor": cursor}}
        sidecar.send(message)
        lines.append({"client": message})
        # Replies and notifications may come in any order: one is as good as the other.
        for reply in sorted(sidecar.answers(step.awaited), key=lambda reply: "method" in reply):
            lines.append({"sidecar": reply})
            cursor = (reply.get("result") or {}).get("nextCursor", cursor)
    return lines
