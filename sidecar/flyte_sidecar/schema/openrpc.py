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
"""What any request may be answered with, beside the errors of its own."""


def document() -> dict[str, Any]:
    """Give the document. What OpenRPC has no word for are its `x-` members.

    `x-schemaHash` is the hash that `initialize` tells; `x-notifications` are what the sidecar
    sends while a watch is open, by which method of whose they come.
    """
    return {
        "openrpc": OPENRPC,
        "info": {
            "title": "flyte-sidecar",
            "description": (
                "See and answer the events of Flyte workflow runs: JSON-RPC 2.0 on the stdin and"
                " stdout of `flyte-sidecar`, one JSON text a line or with LSP's headers."
            ),
            "version": PROTOCOL_VERSION,
            "license": {"name": "Apache-2.0"},
            "x-schemaHash": schema_hash(),
        },
        "methods": [_method(method, examples()[method.name]) for method in METHODS],
        "components": {
            "schemas": {name: _here(schema) for name, schema in components()[1].items()},
            "errors": {kind.kind: _error(kind) for kind in errors.KINDS},
        },
        "x-notifications": [
            {
                "name": one.name,
                "summary": one.summary,
                "params": _params(components()[0][one.params]),
            }
            for one in NOTIFICATIONS
        ],
    }


def _method(method: Method, example: Example) -> dict[str, Any]:
    schemas = components()[0]
    told: dict[str, Any] = {
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": _params(schemas[method.params]),
        "examples": [_example(example)],
    }
    if method.notification:
        return told
    told["result"] = {"name": "result", "schema": _here(schemas[method.result])}
    kinds: list[type[errors.SidecarError]] = [*method.errors, *_ANY_REQUEST]
    told["errors"] = [{"$ref": f"#/components/errors/{error.kind}"} for error in kinds]
    if method.notifications:
        told["x-notifications"] = [one.name for one in method.notifications]
    return told


def _params(reference: Schema) -> list[dict[str, Any]]:
    """Give the members of params as content descriptors, those first that are required."""
    params = components()[1][reference["$ref"].rpartition("/")[2]]
    descriptors = []
    for name, member in params["properties"].items():
        schema = _here(member)
        told = {"description": schema.pop("description")} if "description" in schema else {}
        required = name in params.get("required", [])
        descriptors.append({"name": name, **told, "required": required, "schema": schema})
    return sorted(descriptors, key=lambda descriptor: not descriptor["required"])


def _example(example: Example) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": example.title,
        "params": [{"name": name, "value": value} for name, value in example.params.items()],
    }
    if example.result is not UNSET:
        told["result"] = {"name": "result", "value": json.decode(encode(example.result))}
    return told


def _error(kind: type[errors.SidecarError]) -> dict[str, Any]:
    data = {"kind": kind.kind, "retryable": kind.retryable}
    summary = (kind.__doc__ or "").partition("\n")[0]
    return {"code": kind.code, "message": summary, "data": data}


def _here(schema: Any) -> Any:
    """Give the schema with its references to where types stand in this document."""
    if isinstance(schema, list):
        return [_here(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: member.replace("#/$defs/", "#/components/schemas/")
        if name == "$ref"
        else _here(member)
        for name, member in schema.items()
    }
