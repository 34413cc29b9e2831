"""The reference for people: `schemas/README.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clients.generate.contract import Contract, Enum, Member, OneOf, Type
from flyte_sidecar.conformance.transcripts import TRANSCRIPTS

INTRODUCTION = """\
# Wire contract reference

The methods, notifications, errors and types of the protocol, which [its page](../docs/protocol.md)
explains. `make generate` writes this page. The contract for programs:

- [`events.schema.json`](events.schema.json): every type, as JSON Schema 2020-12.
- [`methods.json`](methods.json): the methods, notifications and errors, the protocol version, and
  the schema hash.
- [`settings.schema.json`](settings.schema.json): the settings of editors, as JSON Schema 2020-12.
- `openrpc.json`: the contract as one [OpenRPC](https://open-rpc.org) document. `rpc.discover`
  returns it, and `flyte-sidecar schema` prints it.
- [`recorded/`](../sidecar/flyte_sidecar/conformance/recorded): recorded conversations, one JSON
  object per line. The first line has the member `about`; every other line has a message of the
  `client` or of the `sidecar`.

`flyte-sidecar schema --out DIR` writes the first four files into a folder.
"""


def reference(contract: Contract, transcripts: Path = TRANSCRIPTS) -> str:
    """Return the page."""
    parts = [
        INTRODUCTION,
        f"Protocol {contract.protocol_version}, schema hash `{contract.schema_hash}`.\n",
        *_methods(contract),
        *_notifications(contract),
        *_errors(contract),
        *_types(contract),
        *_transcripts(transcripts),
    ]
    return "\n".join(parts)


def _methods(contract: Contract) -> Iterator[str]:
    yield "## Methods\n"
    yield (
        "`initialize`, `initialized`, `shutdown`, `exit` and `$/cancelRequest` are methods of the"
        " Language Server Protocol.\nEvery request except `shutdown` accepts `timeoutSeconds`.\n"
    )
    for method in contract.methods:
        yield f"### {method.name}\n"
        yield f"{method.summary}\n"
        if method.params is not None:
            own = [member for member in method.params.members if member.name != "timeoutSeconds"]
            yield _table(own, "param")
            if method.params.one_of is not None:
                name = method.params.one_of.name
                yield f"The params select one event: see [{name}](#{name.lower()}).\n"
        result = "`null`" if method.result is None else _linked(method.result)
        result += " or `null`" if method.result and method.nullable else ""
        notifications = ", ".join(f"`{note.name}`" for note in method.notifications)
        yield f"Result: {result}.{f' Notifications: {notifications}.' if notifications else ''}\n"
        if method.errors:
            kinds = ", ".join(f"`{kind}`" for kind in method.errors)
            yield f"Errors: {kinds}.\n"


def _notifications(contract: Contract) -> Iterator[str]:
    yield "## Notifications\n"
    rows = [
        (f"`{note.name}`", f"[{note.params}](#{note.params.lower()})", note.summary)
        for note in contract.notifications
    ]
    yield _grid(("notification", "params", ""), rows)


def _errors(contract: Contract) -> Iterator[str]:
    yield "## Errors\n"
    yield "Match on `data.kind`. [ErrorData](#errordata) lists the other members of `data`.\n"
    rows = [
        (f"`{error.kind}`", str(error.code), "yes" if error.retryable else "", error.doc)
        for error in contract.errors
    ]
    yield _grid(("kind", "code", "retryable", ""), rows)


def _types(contract: Contract) -> Iterator[str]:
    yield "## Types\n"
    params = {method.params.name for method in contract.methods if method.params is not None}
    for type_ in (*contract.types, contract.payload):
        if type_.name in params:
            continue
        yield f"### {type_.name}\n"
        yield f"{type_.doc}\n"
        if isinstance(type_, Enum):
            yield f"{', '.join(f'`{value}`' for value in type_.values)}.\n"
        elif isinstance(type_, OneOf):
            for members in type_.alternatives:
                yield _table([member for member in members if member.types], "member")
        elif type_.members:
            yield _table(type_.members, "member")


def _table(members: Sequence[Member], what: str) -> str:
    rows = []
    for member in members:
        kinds = " or ".join(_linked(type_) for type_ in member.types)
        absent = "" if member.required else "?"
        null = " or `null`" if member.nullable and member.required else ""
        rows.append((f"`{member.name}`{absent}", f"{kinds}{null}", member.doc))
    return _grid((what, "type", ""), rows)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _linked(type_: Type) -> str:
    name = f"[{type_.name}](#{type_.name.lower()})" if type_.named else type_.name
    return f"array of {name}" if type_.is_array else name


def _transcripts(folder: Path) -> Iterator[str]:
    yield "## Transcripts\n"
    yield "Most members of events are omitted.\n"
    for path in sorted(folder.glob("*.jsonl")):
        first, *lines = (json.loads(line) for line in path.read_text().splitlines())
        yield f"### {path.stem}\n"
        yield f"{first['about']}\n"
        yield "```text"
        for line in lines:
            [(who, message)] = line.items()
            yield f"{'->' if who == 'client' else '<-'} {_short(message)}"
        yield "```\n"


_SHOWN = ("name", "phase", "pending", "payload")


def _short(value: Any) -> str:
    """Return the JSON of a message. Most members of events are omitted."""
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    is_event = "partial" in value
    names = [name for name in value if name != "jsonrpc" and (not is_event or name in _SHOWN)]
    members = [f"{json.dumps(name)}: {_short(value[name])}" for name in names]
    return f"{{{', '.join([*members, '…'] if is_event else members)}}}"
