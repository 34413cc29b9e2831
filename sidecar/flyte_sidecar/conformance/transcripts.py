"""Replays recorded conversations, with implementations of the protocol of `flyte-sidecar`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from flyte_sidecar.conformance.check import Check
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.failures import Violation
from flyte_sidecar.conformance.messages import compact, parse
from flyte_sidecar.conformance.placeholders import FREE_MEMBERS, is_shared, is_timestamp

Line = dict[str, Any]

_PLACEHOLDER = re.compile(r'"(e\d{16}|cursor-\d+)"')
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


TRANSCRIPTS = Path(__file__).parent / "recorded"
"""The folder of the transcripts."""


def transcript_checks() -> Iterator[Check]:
    """Yield a check for each transcript."""
    for path in sorted(TRANSCRIPTS.glob("*.jsonl")):
        about, *lines = map(json.loads, path.read_text("utf-8").splitlines())
        yield Check(
            id=f"sidecar/{path.stem}",
            title=about["about"],
            source=f"recorded/{path.name}",
            level="must",
            perform=partial(_replay, lines),
            is_fresh=True,
        )


def _replay(lines: list[Line], server: Connection) -> None:
    """Send the messages of the client, and compare what the server sends with the recording."""
    values: dict[str, str] = {}  # by what stands for them
    server.keeps_notifications = True
    groups = groupby(lines, key=lambda line: "client" in line)
    for is_client, members in groups:
        messages = [line["client" if is_client else "sidecar"] for line in members]
        if is_client:
            server.send(*(_with_values(message, values) for message in messages))
        else:
            _expect(server, messages, values)
    server.process.end_input()
    if rest := server.collect_all(server.target.timeout):
        raise Violation(f"a message too many: {compact(rest[0])[:200]}")


def _with_values(message: Line, values: dict[str, str]) -> bytes:
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return _PLACEHOLDER.sub(lambda found: json.dumps(values.get(found[1], found[1])), text).encode()


def _expect(server: Connection, expected: list[Line], values: dict[str, str]) -> None:
    found = server.collect(
        lambda messages: len(messages) >= len(expected), server.target.startup_timeout
    )
    if len(found) != len(expected):
        raise Violation(f"expected {len(expected)} messages, got {compact(found)[:200]}")
    # Responses and notifications may come in any order.
    found.sort(key=lambda message: "method" in message)
    for wanted in expected:
        got = next((one for one in found if _belongs(one, wanted)), None)
        if got is None:
            raise Violation(f"expected {json.dumps(wanted)[:100]}, got {compact(found)[:200]}")
        found.remove(got)
        _compare(parse(json.dumps(wanted).encode()), got, "", values)


def _belongs(message: Line, expected: Line) -> bool:
    """Return whether a message is a response to the same request, or of the same method."""
    return all(message.get(member) == expected.get(member) for member in ("id", "method"))


def _compare(expected: Any, found: Any, path: str, values: dict[str, str]) -> None:
    """Raise `Violation` if a value differs from the recorded one. Further members are allowed."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if missing := sorted(expected.keys() - found.keys()):
            raise Violation(f"{path or '/'} has no member {missing[0]!r}")
        for name, value in expected.items():
            if name not in FREE_MEMBERS:
                _compare(value, found[name], f"{path}/{name}", values)
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            _compare(one, other, f"{path}/{index}", values)
    elif isinstance(expected, str) and isinstance(found, str) and is_shared(expected):
        if values.setdefault(expected, found) != found:
            raise Violation(f"{path} is {found!r}, and was {values[expected]!r} before")
    elif isinstance(expected, str) and isinstance(found, str) and is_timestamp(expected):
        if _TIMESTAMP.fullmatch(found) is None:
            raise Violation(f"{path} is {found!r}, which is no timestamp in UTC")
    elif type(expected) is not type(found) or expected != found:
        raise Violation(f"{path} is {compact(found)[:100]}, expected {compact(expected)[:100]}")
