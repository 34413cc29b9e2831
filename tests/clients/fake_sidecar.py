"""A fake sidecar that replays a transcript to a client that uses header framing.

Usage: fake_sidecar.py TRANSCRIPT

Every message of the client must equal the one in the transcript, except for the ids. Otherwise an
error is printed to stderr and the exit status is 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from flyte_sidecar.rpc.header_framing import HeaderDecoder


def main(transcript: Path) -> None:
    decoder = HeaderDecoder(sys.maxsize)
    ids: dict[Any, Any] = {}
    for line in transcript.read_text().splitlines()[1:]:
        [(sender, message)] = json.loads(line).items()
        if sender == "sidecar":
            if "id" in message:
                message["id"] = ids[message["id"]]
            sys.stdout.buffer.write(decoder.frame(json.dumps(message).encode()))
            sys.stdout.flush()
            continue
        while (text := decoder.next()) is None:
            decoder.feed(sys.stdin.buffer.raw.read(1 << 16))  # type: ignore[attr-defined]
        assert isinstance(text, bytes), text
        sent = json.loads(text)
        if "id" in message:
            ids[message["id"]] = sent.pop("id")
            del message["id"]
        if message["method"] == "$/cancelRequest":
            message["params"]["id"] = ids[message["params"]["id"]]
        assert sent == message, f"{sent} instead of {message}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
