"""Conversations in Markdown pages, and playing them with a real sidecar.

A conversation is a code block in the notation of the JSON-RPC 2.0 specification: `-->` begins what
the client sends, and `<--` what the sidecar sends. An indented line continues the message before.
`--> (end of input)` closes stdin, and `…` stands for further members of an object.

A block whose first message has the id 1 begins a connection to a new sidecar with a new store,
which the next blocks continue. A comment before such a block contains options of the sidecar,
`<!-- sidecar: OPTIONS -->`, or names a deployment of the tests, `<!-- deployment: NAME -->`. Ids
of events, timestamps, cursors and users differ each time: what a page shows in their place must be
consistent.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

from tests.docs.blocks import claim
from tests.e2e.process import Process

_FIRST_REQUEST = re.compile(r'-->[^\n]*(?:\n    [^\n]*)*?"id": ?1[,}]')
END_OF_INPUT = "(end of input)"
VARYING = (
    *("actionName", "createdAt", "endedAt", "expiresAt", "nextCursor", "signalledBy"),
    *("uptimeSeconds", "schemaHash", "version", "url", "userCode"),
)
"""Members whose values differ between two conversations, or two releases."""


class Message(NamedTuple):
    """A message of a page: whether the client sends it, and its text."""

    is_sent: bool
    text: str


class Connection(NamedTuple):
    """The messages of a connection to a new sidecar.

    Attributes
    ----------
    options
        Options of the sidecar, beside those of the backend.
    deployment
        The deployment that is its backend; None for the embedded store.
    """

    options: list[str]
    deployment: str | None
    messages: list[Message]


def connections(page: str) -> list[Connection]:
    """Return the conversations of a page, whose caller plays them."""
    found: list[Connection] = []
    for block in claim(page, "text", begins=("-->", "<--")):
        if _FIRST_REQUEST.match(block.text):
            kind, value = block.comment or ("sidecar", "")
            options = shlex.split(value) if kind == "sidecar" else []
            found.append(Connection(options, value if kind == "deployment" else None, []))
        parts = re.findall(r"^(-->|<--) (.*(?:\n    .*)*)\n", block.text, re.MULTILINE)
        rebuilt = "".join(f"{arrow} {text}\n" for arrow, text in parts)
        assert rebuilt == block.text, "each line is a message, or continues one"
        found[-1].messages.extend(Message(arrow == "-->", text) for arrow, text in parts)
    return found


def play(connection: Connection, sidecar: Process, shown: Mapping[str, str] | None = None) -> None:
    """Send the client's messages to a sidecar, and compare what it sends with the page.

    Parameters
    ----------
    shown
        What stands in the page for a text of this conversation, and that text.
    """
    same = _Equivalence(shown or {})
    for is_sent, group in groupby(connection.messages, lambda message: message.is_sent):
        texts = [message.text for message in group]
        if not is_sent:
            same.check_all(texts, _received(sidecar, texts))
            continue
        for text in texts:
            if text == END_OF_INPUT:
                sidecar.end_input()
            else:
                sidecar.write(same.actual(_on_the_wire(text)).encode())
    sidecar.end_input()
    assert sidecar.read_all() == []
    sidecar.status()


def _on_the_wire(text: str) -> str:
    """Return what is sent for a message of a page."""
    lines = [line.removeprefix("    ") for line in text.split("\n")]
    if text.startswith("Content-Length"):
        return "".join(lines).replace("\\r\\n", "\r\n")
    return " ".join(line.strip() for line in lines) + "\n"


def _received(sidecar: Process, texts: list[str]) -> Iterator[Any]:
    """Return as many messages of the sidecar as a page shows."""
    if texts[0].startswith("Content-Length"):
        expected = "".join(map(_on_the_wire, texts))
        yield from (sidecar.read(len(expected.encode())).decode(),)
    else:
        yield from sidecar.answers(len(texts))


class _Equivalence:
    """Compares messages, except for values that may differ."""

    def __init__(self, actual: Mapping[str, str]) -> None:
        self._actual: dict[str, Any] = dict(actual)  # by what the page shows

    def actual(self, text: str) -> str:
        """Return a text of the page with the values of this conversation."""
        for shown, actual in self._actual.items():
            text = text.replace(json.dumps(shown), json.dumps(actual))
        return text

    def check_all(self, texts: list[str], received: Iterator[Any]) -> None:
        if texts[0].startswith("Content-Length"):
            assert "".join(map(_on_the_wire, texts)) == "".join(received)
            return
        shown = [json.loads(re.sub(r"…(?=\s*})", '"…": null', text)) for text in texts]
        # Responses may come in any order, and so may the notifications of different watches.
        for expected, found in zip(
            sorted(shown, key=_key), sorted(received, key=_key), strict=True
        ):
            self._check(expected, found, "")

    def _check(self, expected: Any, found: Any, member: str) -> None:
        if isinstance(expected, dict) and isinstance(found, dict):
            is_open = "…" in expected
            names = expected.keys() - {"…"}
            assert names <= found.keys() if is_open else names == found.keys(), (expected, found)
            for name in expected:
                if name in names:
                    self._check(expected[name], found[name], name)
        elif isinstance(expected, list) and isinstance(found, list):
            assert len(expected) == len(found), (expected, found)
            for one, other in zip(expected, found, strict=True):
                self._check(one, other, member)
        elif member in VARYING and expected is not None:
            assert type(found) is type(expected), (member, expected, found)
            assert self._actual.setdefault(str(expected), found) == found, (member, expected, found)
        elif member == "message":
            for shown, actual in self._actual.items():
                expected = expected.replace(shown, str(actual))
            assert expected == found
        else:
            assert (expected, type(expected)) == (found, type(found)), member


def _key(message: Any) -> tuple[bool, str, int, str]:
    """Return what orders messages alike: the response to which request, or which notification."""
    if isinstance(message, list):
        return True, "", 0, ""
    params = message.get("params", {})
    return (
        "method" in message,
        str(params.get("watch", "")),
        params.get("sequence", 0),
        str(message.get("id", "")),
    )
