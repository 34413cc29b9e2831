"""The JSON Schema of every type, and the method table."""

from __future__ import annotations

import hashlib
from functools import cache
from inspect import cleandoc
from itertools import chain
from typing import Any

from msgspec import json

from flyte_sidecar import errors
from flyte_sidecar.protocol import PROTOCOL_VERSION
from flyte_sidecar.protocol.methods import METHODS, NOTIFICATIONS
from flyte_sidecar.protocol.params import TargetParams
from flyte_sidecar.protocol.results import Error

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NULL = {"type": "null"}
_PAYLOAD = {
    "title": "Payload",
    "description": (
        "The answer to an event. In results, an int outside ±(2^53 - 1) is a string of its decimal"
        " digits, and a float that is not finite is the string NaN, Infinity or -Infinity;"
        " expectedType distinguishes them from text. Requests accept these strings too. A float"
        " also accepts any other JSON number, and a string that contains a decimal number."
    ),
    "anyOf": [{"type": name} for name in ("boolean", "integer", "number", "string")],
}


def events_schema() -> Schema:
    """Return the JSON Schema of every type, under `$defs`."""
    return {
        "$schema": DIALECT,
        "title": "flyte-sidecar",
        "description": "Every type of the flyte-sidecar wire contract.",
        "$defs": components()[1],
    }


def method_table() -> dict[str, Any]:
    """Return the methods, notifications and errors, the protocol version and the schema hash."""
    return {
        "protocolVersion": PROTOCOL_VERSION,
        "schemaHash": schema_hash(),
        "methods": _methods(),
        "notifications": _notifications(),
        "errors": _errors(),
    }


@cache
def schema_hash() -> str:
    """Return a hash of the contract. Clients compare it to detect that their version differs."""
    contract = [PROTOCOL_VERSION, components()[1], _methods(), _notifications(), _errors()]
    return hashlib.sha256(json.encode(contract, order="sorted")).hexdigest()[:16]


@cache
def components() -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """Return the schemas of params, results and errors by type, and all types by name."""
    types: list[Any] = [Error]
    types += [notification.params for notification in NOTIFICATIONS]
    for method in METHODS:
        types += [method.params] if method.result is None else [method.params, method.result]
    schemas, components = json.schema_components(
        types,
        schema_hook=lambda _: {},  # an error, whose annotation refers to its schema
        ref_template="#/$defs/{name}",
    )
    named: dict[str, Schema] = {}
    for name, component in components.items():
        if "description" in component:
            component["description"] = cleandoc(component["description"])
        named[name] = _named(component, named, closed=name.endswith("Params"))
    named["Payload"] = _PAYLOAD
    for target in types:
        if isinstance(target, type) and issubclass(target, TargetParams):
            params = named[target.__name__]
            params["allOf"] = [{"$ref": "#/$defs/Target"}]
            named["Target"] = _target(params["properties"])
    return dict(zip(types, schemas, strict=True)), named


def _target(members: dict[str, Schema]) -> Schema:
    """Return the schema of a target: one event, by its id or by its name."""

    def member(name: str, type_name: str) -> Schema:
        return {"description": members[name]["description"], "type": type_name}

    by_id = {
        "actionName": member("actionName", "string"),
        "name": member("name", "null"),
        "parent": member("parent", "null"),
    }
    by_name = {
        "name": member("name", "string"),
        "parent": members["parent"],
        "actionName": member("actionName", "null"),
    }
    return {
        "title": "Target",
        "description": cleandoc(TargetParams.__doc__ or ""),
        "type": "object",
        "oneOf": [
            {"properties": by_id, "required": ["actionName"]},
            {"properties": by_name, "required": ["name"]},
        ],
    }


def _named(schema: Any, named: dict[str, Schema], *, closed: bool) -> Any:
    """Return the schema with the payload and the enums replaced by references.

    Enums are closed in params. In results and errors they are open, since a later version of
    the protocol may add values.
    """
    if isinstance(schema, list):
        return [_named(member, named, closed=closed) for member in schema]
    if not isinstance(schema, dict):
        return schema
    values = schema.get("enum") or (schema.get("examples") if "title" in schema else None)
    if values is not None:
        name = schema["title"]
        texts = {key: schema[key] for key in ("title", "description")}
        named[name] = {**texts, "type": "string", "enum": values}
        reference = {"$ref": f"#/$defs/{name}"}
        if closed and "enum" in schema:
            return reference
        pattern = {key: schema[key] for key in ("pattern",) if key in schema}
        return {"anyOf": [reference, {"type": "string", **pattern}]}
    if schema.get("anyOf") == [*_PAYLOAD["anyOf"], _NULL]:
        return {**schema, "anyOf": [{"$ref": "#/$defs/Payload"}, _NULL]}
    replaced = {key: _named(member, named, closed=closed) for key, member in schema.items()}
    if "anyOf" in replaced:
        nested = (member.get("anyOf", [member]) for member in replaced["anyOf"])
        replaced["anyOf"] = list(chain.from_iterable(nested))
    return replaced


def _methods() -> list[dict[str, Any]]:
    schemas = components()[0]
    return [
        {
            "name": method.name,
            "summary": method.summary,
            "notification": method.notification,
            "openEnded": method.open_ended,
            "params": schemas[method.params],
            "result": None if method.result is None else schemas[method.result],
            "errors": [error.kind for error in method.errors],
            "notifications": [notification.name for notification in method.notifications],
        }
        for method in METHODS
    ]


def _notifications() -> list[dict[str, Any]]:
    return [
        {"name": row.name, "summary": row.summary, "params": components()[0][row.params]}
        for row in NOTIFICATIONS
    ]


def _errors() -> list[dict[str, Any]]:
    return [
        {
            "kind": error.kind,
            "code": error.code,
            "retryable": error.retryable,
            "description": cleandoc(error.__doc__ or "").replace("``", "`"),
        }
        for error in errors.ERRORS
    ]
