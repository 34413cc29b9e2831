"""The schemas of the wire contract, made from `flyte_sidecar.protocol` alone.

contract   the JSON Schema of every type, the method table, and their hash
openrpc    the same as an OpenRPC document
examples   one of each method
"""

from __future__ import annotations

from pathlib import Path

from msgspec import json

from flyte_sidecar.schema.contract import events_schema, method_table, schema_hash
from flyte_sidecar.schema.openrpc import document


def files() -> dict[str, bytes]:
    """Give the contents of the files of `schemas/`, by name."""
    return {
        name: json.format(json.encode(made), indent=2) + b"\n"
        for name, made in (
            ("events.schema.json", events_schema()),
            ("methods.json", method_table()),
            ("openrpc.json", document()),
        )
    }


def write(folder: Path) -> None:
    """Write the files into a folder, which is made if it has to be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)


def discovered() -> bytes:
    """Give the JSON of the OpenRPC document, as `rpc.discover` answers it."""
    return json.encode(document())


def hash_module() -> str:
    """Give the module that tells a running sidecar the hash: making schemas takes it 10 ms."""
    return (
        '"""Made by `make generate`."""\n\n'
        f'SCHEMA_HASH = "{schema_hash()}"\n'
        '"""Differs where the schemas differ."""\n'
    )
