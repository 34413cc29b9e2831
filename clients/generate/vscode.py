"""The settings in the manifest of the VS Code extension."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clients.generate.contract import SCHEMAS

_OWN: dict[str, dict[str, Any]] = {
    "flyteSidecar.command": {
        "markdownDescription": "The command that starts the server, with its options: a program in"
        " `PATH` or an absolute path, for example `/opt/venv/bin/flyte-sidecar`. By default, the"
        " extension uses the environment variable `FLYTE_SIDECAR`, or looks in its own"
        " package, in the Python environment of the workspace and in `PATH`.",
        "scope": "machine",
        "type": "array",
        "items": {"type": "string"},
        "default": [],
    },
    "flyteSidecar.trace.server": {
        "markdownDescription": "What is written about the messages between VS Code and the server,"
        " if the log level of the output channel is *Trace* (command *Developer: Set Log Level…*):"
        " their methods, or also their contents, which include prompts and answers.",
        "scope": "window",
        "type": "string",
        "enum": ["messages", "verbose"],
        "default": "messages",
    },
}
"""The settings of the extension itself."""


def manifest(package: str) -> str:
    """Return the manifest with the settings of the server's JSON Schema."""
    document = json.loads(package)
    schema = json.loads((SCHEMAS / "settings.schema.json").read_text())
    settings = dict(_settings(schema["properties"]))
    document["contributes"]["configuration"]["properties"] = {
        name: {"order": order, **setting} for order, (name, setting) in enumerate(settings.items())
    }
    restricted = [name for name in settings if _selects(name, schema["properties"])]
    document["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = restricted
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _selects(name: str, properties: Mapping[str, Any]) -> bool:
    """Return whether a setting selects a program to run, or to whom answers go.

    VS Code ignores the value that a workspace has for such a setting until the person trusts it.
    """
    return name == "flyteSidecar.command" or properties.get(name, {}).get("default", "") is None


def _settings(properties: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "flyteSidecar.command", _OWN["flyteSidecar.command"]
    for name, schema in properties.items():
        yield name, _setting(schema)
    yield "flyteSidecar.trace.server", _OWN["flyteSidecar.trace.server"]


_LABELS = {True: "yes", False: "no", None: "default"}
"""What VS Code shows for values that are no strings."""


def _setting(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting for VS Code, which has no input for `string | null` and `boolean | null`."""
    setting = {key: value for key, value in schema.items() if key != "description"}
    # Settings in backticks and number signs are links.
    description = re.sub(r"`(flyteSidecar\.\w+)`", r"`#\1#`", schema["description"])
    setting = {"markdownDescription": description, **setting}
    if schema["type"] == ["boolean", "null"]:
        setting["enum"] = [True, False, None]
    elif schema["type"] == ["string", "null"] and "enum" not in schema:
        setting |= {"type": "string", "default": ""}
    if "enum" in setting:
        setting["enumItemLabels"] = [_LABELS.get(value, value) for value in setting["enum"]]
    if "pattern" in schema:
        setting["patternErrorMessage"] = "Control characters are not allowed."
    return setting
