"""Mutations of messages from the transcripts."""

from __future__ import annotations

import json
from random import Random

from flyte_sidecar.conformance.transcripts import TRANSCRIPTS

NEVER = {"shutdown", "exit"}
"""Methods after which the sidecar handles no messages."""


def _seeds() -> list[bytes]:
    found = set()
    for path in TRANSCRIPTS.glob("*.jsonl"):
        for line in path.read_text().splitlines():
            message = json.loads(line).get("client")
            if message is None or _method(message) in NEVER or "timeoutSeconds" in line:
                continue  # a deadline would keep the process alive after its input has ended
            found.add(json.dumps(message, separators=(",", ":")).encode())
    return sorted(found)


def _method(message: object) -> object:
    return message.get("method") if isinstance(message, dict) else None


SEEDS = _seeds()

_WORDS = (
    *('"', "\\", "{", "}", "[", "]", ",", ":", "\n", "\r", "\0", "\x1f", "\x7f", " "),
    *("null", "true", "0", "-0", "1", "1.0", "1e3", "1e999", "9" * 40, "NaN", "Infinity"),
    *('"id":1,', '"id":null,', '"method":"x",', '"jsonrpc":"2.0",', '"params":[],'),
    *("\\ud800", "\\u0000", "\\u2028", "``", "` - at `$[[[[", "\\n"),
    *("\u0085", "\u2028", "\u2029", "\ufeff", "\U0001f600"),
)
TOKENS = (
    *(word.encode() for word in _WORDS),
    *(b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),  # not UTF-8
)


def mutated_message(random: Random) -> bytes:
    """Return a message with up to four mutations."""
    data = random.choice(SEEDS)
    for _ in range(random.choice((0, 1, 1, 1, 2, 4))):
        data = _mutate(random, data)
    return data


def _mutate(random: Random, data: bytes) -> bytes:
    start = random.randint(0, len(data))
    end = random.randint(start, min(len(data), start + 24))
    kind = random.choice(("insert", "insert", "replace", "cut", "repeat", "splice", "byte"))
    if kind == "insert":
        return data[:start] + random.choice(TOKENS) + data[start:]
    if kind == "replace":
        return data[:start] + random.choice(TOKENS) + data[end:]
    if kind == "cut":
        return data[:start] + data[end:]
    if kind == "repeat":
        return data[:end] + data[start:end] * random.randint(1, 4) + data[end:]
    if kind == "splice":
        return data[:start] + random.choice(SEEDS)[start:]
    return data[:start] + bytes([random.randrange(256)]) + data[start + 1 :]
