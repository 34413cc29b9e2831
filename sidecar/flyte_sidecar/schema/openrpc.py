"""The contract as an OpenRPC document (https://spec.open-rpc.org)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, json

from flyte_sidecar import errors
from flyte_sidecar.protocol import PROTOCOL_VERSION
from flyte_sidecar.protocol.methods import METHODS, NOTIFICATIONS, Method
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.schema.contract import Schema, components, schema_hash
from flyte_sidecar.schema.examples import Example, examples

OPENRPC = "1.4.1"

_ANY_REQUEST = (
    errors.InvalidRequest,
    errors.InvalidParams,
    errors.InternalError,
    errors.RequestCancelled,
    errors.DeadlineExceeded,
    errors.ShuttingDown,
)
"""The errors that any request may end with, in addition to those of its method."""


def document() -> dict[str, Any]:
    """Return the document, with extensions where OpenRPC has no member.

    `x-schemaHash` is the hash that `initialize` returns. `x-notifications` are the notifications
    that the sidecar sends; a method lists those that it causes.
    """
    return {
        "openrpc": OPENRPC,
        "info": {
            "title": "flyte-sidecar",
            "description": (
                "See and answer the events of Flyte workflow runs: JSON-RPC 2.0 on the stdin and"
                " stdout of `flyte-sidecar`, one JSON text per line or with LSP headers."
            ),
            "version": PROTOCOL_VERSION,
            "license": {"name": "Apache-2.0"},
            "x-schemaHash": schema_hash(),
        },
        "methods": [_method(method, examples()[method.name]) for method in METHODS],
        "components": {
            "schemas": {name: _rebased(schema) for name, schema in components()[1].items()},
            "errors": {kind.kind: _error(kind) for kind in errors.ERRORS},
        },
        "x-notifications": [
            {
                "name": notification.name,
                "summary": notification.summary,
                "params": _params(components()[0][notification.params]),
            }
            for notification in NOTIFICATIONS
        ],
    }


def _method(method: Method, example: Example) -> dict[str, Any]:
    schemas = components()[0]
    entry: dict[str, Any] = {
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": _params(schemas[method.params]),
        "examples": [_example(example)],
    }
    if method.notification:
        return entry
    entry["result"] = {"name": "result", "schema": _rebased(schemas[method.result])}
    kinds: list[type[errors.SidecarError]] = [*method.errors, *_ANY_REQUEST]
    entry["errors"] = [{"$ref": f"#/components/errors/{error.kind}"} for error in kinds]
    if method.notifications:
        entry["x-notifications"] = [each.name for each in method.notifications]
    return entry


def _params(reference: Schema) -> list[dict[str, Any]]:
    """Return the params as content descriptors, required ones first."""
    params = components()[1][reference["$ref"].rpartition("/")[2]]
    descriptors = []
    for name, member in params["properties"].items():
        schema = _rebased(member)
        texts = {"description": schema.pop("description")} if "description" in schema else {}
        required = name in params.get("required", [])
        descriptors.append({"name": name, **texts, "required": required, "schema": schema})
    return sorted(descriptors, key=lambda descriptor: not descriptor["required"])


def _example(example: Example) -> dict[str, Any]:
    pairing: dict[str, Any] = {
        "name": example.title,
        "params": [{"name": name, "value": value} for name, value in example.params.items()],
    }
    if example.result is not UNSET:
        pairing["result"] = {"name": "result", "value": json.decode(encode(example.result))}
    return pairing


def _error(kind: type[errors.SidecarError]) -> dict[str, Any]:
    data = {"kind": kind.kind, "retryable": kind.retryable}
    summary = (kind.__doc__ or "").partition("\n")[0]
    return {"code": kind.code, "message": summary, "data": data}


def _rebased(schema: Any) -> Any:
    """Return the schema with its references pointing to the components of this document."""
    if isinstance(schema, list):
        return [_rebased(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: member.replace("#/$defs/", "#/components/schemas/")
        if name == "$ref"
        else _rebased(member)
        for name, member in schema.items()
    }
