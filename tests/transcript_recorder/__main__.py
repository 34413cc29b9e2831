"""`python -m tests.transcript_recorder`: record all conversations into `schemas/transcripts/`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.transcript_recorder.conversations import CONVERSATIONS
from tests.transcript_recorder.recording import record

FOLDER = ROOT / "schemas" / "transcripts"

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.jsonl"):
        old.unlink()
    for name in CONVERSATIONS:
        with tempfile.TemporaryDirectory() as folder:
            (FOLDER / f"{name}.jsonl").write_text(record(name, Path(folder) / "events.db"))
