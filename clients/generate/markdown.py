"""The reference for people: `schemas/README.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from clients.generate.contract import SCHEMAS, Choice, Contract, Member, Type, Words

INTRODUCTION = """\
# The wire contract

Made by `make generate`: the files beside it from the code, and this page from them.

- [`openrpc.json`](openrpc.json) is all of it, as an [OpenRPC](https://open-rpc.org) document;
  `rpc.discover` answers the same.
- [`events.schema.json`](events.schema.json) has every type, as JSON Schema 2020-12.
- [`methods.json`](methods.json) has the methods, notifications and errors, the protocol version,
  and a hash of it all.
- [`transcripts/`](transcripts) are recorded exchanges, a JSON object a line: first what they are
  `about`, then the messages of `client` and `sidecar`.

`flyte-sidecar schema --out DIR` writes the first three. `initialize` tells the same
`protocolVersion` and `schemaHash`. Another MAJOR of the version is another contract; a higher MINOR
has more methods, members and words, so take members and words that you do not know. Params are
closed: a member that the sidecar does not know is rejected, except `workDoneToken`,
`partialResultToken` and `_meta`, which are ignored. `null` and absent params are the same. An
integer may be written as any number without a fraction (`10.0`).
"""


def reference(contract: Contract, transcripts: Path = SCHEMAS / "transcripts") -> str:
    """Give the page."""
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
        "`initialize`, `initialized`, `shutdown`, `exit` and `$/cancelRequest` are those of the"
        " Language Server Protocol.\nEvery request may carry `timeoutSeconds`.\n"
    )
    for method in contract.methods:
        yield f"### {method.name}\n"
        yield f"{method.summary}\n"
        if method.params is not None:
            own = [one for one in method.params.members if one.name != "timeoutSeconds"]
            yield _table(own, "param")
            if method.params.choice is not None:
                name = method.params.choice.name
                yield f"They name one event: see [{name}](#{name.lower()}).\n"
        result = "`null`" if method.result is None else _linked(method.result)
        result += " or `null`" if method.result and method.nullable else ""
        told = ", ".join(f"`{one.name}`" for one in method.notifications)
        yield f"Result: {result}.{f' Tells {told}.' if told else ''}\n"
        if method.errors:
            kinds = ", ".join(f"`{kind}`" for kind in method.errors)
            yield f"Errors of its own: {kinds}.\n"


def _notifications(contract: Contract) -> Iterator[str]:
    yield "## Notifications\n"
    rows = [
        (f"`{one.name}`", f"[{one.params}](#{one.params.lower()})", one.summary)
        for one in contract.notifications
    ]
    yield _grid(("notification", "params", ""), rows)


def _errors(contract: Contract) -> Iterator[str]:
    yield "## Errors\n"
    yield "Match on `data.kind`. [ErrorData](#errordata) has what else may stand in `data`.\n"
    rows = [
        (f"`{one.kind}`", str(one.code), "yes" if one.retryable else "", one.doc)
        for one in contract.errors
    ]
    yield _grid(("kind", "code", "retryable", ""), rows)


def _types(contract: Contract) -> Iterator[str]:
    yield "## Types\n"
    params = {method.params.name for method in contract.methods if method.params is not None}
    for one in (*contract.types, contract.payload):
        if one.name in params:
            continue
        yield f"### {one.name}\n"
        yield f"{one.doc}\n"
        if isinstance(one, Words):
            yield f"{', '.join(f'`{word}`' for word in one.words)}.\n"
        elif isinstance(one, Choice):
            for form in one.forms:
                yield _table([member for member in form if member.types], "member")
        elif one.members:
            yield _table(one.members, "member")


def _table(members: Sequence[Member], what: str) -> str:
    rows = []
    for member in members:
        kinds = " or ".join(_linked(one) for one in member.types)
        absent = "" if member.required else "?"
        null = " or `null`" if member.nullable and member.required else ""
        rows.append((f"`{member.name}`{absent}", f"{kinds}{null}", member.doc))
    return _grid((what, "type", ""), rows)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _linked(one: Type) -> str:
    name = f"[{one.name}](#{one.name.lower()})" if one.named else one.name
    return f"array of {name}" if one.many else name


def _transcripts(folder: Path) -> Iterator[str]:
    yield "## Transcripts\n"
    yield "Of an event, what matters is shown.\n"
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
    """Give the JSON of a message, its events without most of their members."""
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    is_event = "partial" in value
    names = [name for name in value if name != "jsonrpc" and (not is_event or name in _SHOWN)]
    members = [f"{json.dumps(name)}: {_short(value[name])}" for name in names]
    return f"{{{', '.join([*members, '…'] if is_event else members)}}}"
