"""The schemas of the wire contract, made from `sidecar.protocol` alone."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

from msgspec import json

from sidecar import errors
from sidecar.protocol import PROTOCOL_VERSION
from sidecar.protocol.methods import METHODS, NOTIFICATIONS
from sidecar.protocol.results import Error

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def events_schema() -> dict[str, Any]:
    """Give the JSON Schema of every type, under `$defs`."""
    return {
        "$schema": DIALECT,
        "title": "flyte-sidecar",
        "description": "Every type of the flyte-sidecar wire contract.",
        "$defs": _components()[1],
    }


def method_table() -> dict[str, Any]:
    """Give the methods with their types and errors, the version and the content hash."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "schemaHash": schema_hash(),
        "methods": _methods(),
        "notifications": _notifications(),
        "errors": _errors(),
    }


def hash_module() -> str:
    """Give the module that tells a running sidecar the hash: making schemas takes it 10 ms."""
    return (
        '"""Made by `make schemas`."""\n\n'
        f'SCHEMA_HASH = "{schema_hash()}"\n'
        '"""Differs where the schemas differ."""\n'
    )


@cache
def schema_hash() -> str:
    """Give a hash of the whole contract: clients made from another one can tell."""
    contract = [PROTOCOL_VERSION, _components()[1], _methods(), _notifications(), _errors()]
    return hashlib.sha256(json.encode(contract, order="sorted")).hexdigest()[:16]


@cache
def _components() -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    types: list[Any] = [Error]
    types += [notification.params for notification in NOTIFICATIONS]
    for method in METHODS:
        types += [method.params] if method.result is None else [method.params, method.result]
    schemas, components = json.schema_components(types, ref_template="#/$defs/{name}")
    for component in components.values():
        if "description" in component:
            component["description"] = cleandoc(component["description"])
    return dict(zip(types, schemas, strict=True)), _open(components)


def _open(components: dict[str, Any]) -> dict[str, Any]:
    """Let the strings of results take new values, as the contract's growth rule has it."""
    return {
        name: component if name.endswith("Params") else _without_enums(component)
        for name, component in components.items()
    }


def _without_enums(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_enums(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    if "enum" in schema:
        known = [value for value in schema["enum"] if value is not None]
        rest = {name: value for name, value in schema.items() if name != "enum"}
        kinds = ["string", "null"] if None in schema["enum"] else "string"
        return {**rest, "type": kinds, "examples": known}
    return {name: _without_enums(member) for name, member in schema.items()}


def _methods() -> list[dict[str, Any]]:
    schemas = _components()[0]
    return [
        {
            "name": method.name,
            "summary": method.summary,
            "notification": method.notification,
            "params": schemas[method.params],
            "result": None if method.result is None else schemas[method.result],
            "errors": [error.kind for error in method.errors],
        }
        for method in METHODS
    ]


def _notifications() -> list[dict[str, Any]]:
    return [
        {"name": one.name, "summary": one.summary, "params": _components()[0][one.params]}
        for one in NOTIFICATIONS
    ]


def _errors() -> list[dict[str, Any]]:
    return [
        {
            "kind": error.kind,
            "code": error.code,
            "retryable": error.retryable,
            "description": cleandoc(error.__doc__ or ""),
        }
        for error in errors.KINDS
    ]


def files() -> dict[str, bytes]:
    """Give the contents of the files of `schemas/`, by name."""
    return {
        name: json.format(json.encode(document), indent=2) + b"\n"
        for name, document in (
            ("events.schema.json", events_schema()),
            ("methods.json", method_table()),
        )
    }


def main() -> None:
    """Write the files into the folder that is the argument, and the hash into the package."""
    folder = Path(sys.argv[1])
    for name, content in files().items():
        (folder / name).write_bytes(content)
    (Path(__file__).parent / "protocol" / "hash.py").write_text(hash_module())


if __name__ == "__main__":
    main()
