"""The JSON Schema of the editor settings, in the form of VS Code's `contributes.configuration`."""

from __future__ import annotations

from typing import Any

from msgspec import json

from flyte_sidecar.lsp.settings import SECTION, Settings
from flyte_sidecar.schema.contract import DIALECT, Schema


def settings_schema() -> Schema:
    """Return the schema of an object of settings, each named `flyteSidecar.<key>`."""
    _, components = json.schema_components([Settings])
    members: dict[str, Schema] = components["Settings"]["properties"]
    return {
        "$schema": DIALECT,
        "title": "Flyte Sidecar",
        "description": "The settings of flyte-sidecar in an editor.",
        "type": "object",
        "properties": {f"{SECTION}.{key}": _property(member) for key, member in members.items()},
        "additionalProperties": False,
    }


def _property(member: Schema) -> Schema:
    """Return the schema of a setting without `anyOf`, for which settings pages have no form."""
    schema: dict[str, Any] = {key: value for key, value in member.items() if key != "anyOf"}
    for alternative in member.get("anyOf", ()):
        if alternative != {"type": "null"}:
            schema |= {"type": "string", **alternative}
            schema["type"] = [schema["type"], "null"]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    return schema
