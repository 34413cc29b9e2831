"""`python -m tests.transcript_recorder`: record all conversations into the package."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flyte_sidecar.conformance.transcripts import TRANSCRIPTS
from tests.transcript_recorder.conversations import CONVERSATIONS
from tests.transcript_recorder.recording import record

if __name__ == "__main__":
    TRANSCRIPTS.mkdir(exist_ok=True)
    for old in TRANSCRIPTS.glob("*.jsonl"):
        old.unlink()
    for name in CONVERSATIONS:
        with tempfile.TemporaryDirectory() as folder:
            (TRANSCRIPTS / f"{name}.jsonl").write_text(record(name, Path(folder) / "events.db"))
