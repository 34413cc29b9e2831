"""LSP's own description of its messages, and a strict validation of messages against it.

The metaModel of LSP 3.18 comes with a Go module that generates types from it. No package for
JavaScript, Python, Rust or Java contains it: `vscode-languageserver-protocol` has only its schema.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.conftest import needs, run

MODULE = "go.lsp.dev/protocol@v1.0.1"
MODEL = Path("internal", "genlsp", "testdata", "metaModel.json")
SHA256 = "533cc812afd5e1e1cbfd7d0f5ab6809056ef50e06d64896933fbc568ebe534f9"
"""Checksum of the metaModel of LSP 3.18.0; its `metaData.version` says 3.17.0."""

Json = Any
Type = dict[str, Any]
Direction = Literal["clientToServer", "serverToClient"]


class InvalidMessage(AssertionError):
    """A message that differs from the metaModel."""


@cache
def load_meta_model() -> MetaModel:
    """Return the metaModel, from Go's module cache after the first download."""
    arguments = ("mod", "download", "-json", MODULE)
    done = run(needs("go", (1, 24)), *arguments, env=os.environ | {"GOFLAGS": "-mod=mod"}, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    text = (Path(json.loads(done.stdout)["Dir"]) / MODEL).read_bytes()
    assert hashlib.sha256(text).hexdigest() == SHA256
    return MetaModel(json.loads(text))


class MetaModel:
    """Validates the messages of one direction of a connection."""

    def __init__(self, model: Json) -> None:
        self._requests = {request["method"]: request for request in model["requests"]}
        self._notifications = {sent["method"]: sent for sent in model["notifications"]}
        self._structures = {structure["name"]: structure for structure in model["structures"]}
        self._enumerations = {each["name"]: each for each in model["enumerations"]}
        self._aliases = {alias["name"]: alias["type"] for alias in model["typeAliases"]}

    def describes(self, method: str) -> bool:
        """Return whether a method belongs to LSP."""
        return method in self._requests or method in self._notifications

    def check_request(self, message: Json, direction: Direction = "serverToClient") -> None:
        """Raise `InvalidMessage` unless the message is a request of LSP in this direction."""
        self._check_envelope(message, {"id", "method", "params"}, {"id", "method"})
        self._check_call(self._requests, message, direction)

    def check_notification(self, message: Json, direction: Direction = "serverToClient") -> None:
        """Raise `InvalidMessage` unless the message is a notification of LSP."""
        self._check_envelope(message, {"method", "params"}, {"method"})
        self._check_call(self._notifications, message, direction)
        if message["method"] == "$/progress" and direction == "serverToClient":
            names = ("WorkDoneProgressBegin", "WorkDoneProgressReport", "WorkDoneProgressEnd")
            variants = [{"kind": "reference", "name": name} for name in names]
            self._check(
                message["params"]["value"], {"kind": "or", "items": variants}, "params.value"
            )

    def check_response(self, method: str, message: Json) -> None:
        """Raise `InvalidMessage` unless the message is a response to a request of this method."""
        if "error" in message:
            self._check_envelope(message, {"id", "error"}, {"id", "error"})
            self._check_error(message["error"])
            return
        self._check_envelope(message, {"id", "result"}, {"id", "result"})
        self._check(message["result"], self._requests[method]["result"], f"{method}: result")

    def check(self, value: Json, name: str) -> None:
        """Raise `InvalidMessage` unless a value has the structure, enumeration or alias `name`."""
        self._check(value, {"kind": "reference", "name": name}, name)

    def _check_envelope(self, message: Json, known: set[str], required: set[str]) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            raise InvalidMessage("the message is not an object of JSON-RPC 2.0")
        members = message.keys() - {"jsonrpc"}
        if not required <= members <= known:
            raise InvalidMessage(f"the message has the members {sorted(members)}")
        if "id" in message and not (message["id"] is None and "error" in message):
            integer, string = ({"kind": "base", "name": name} for name in ("integer", "string"))
            self._check(message["id"], {"kind": "or", "items": [integer, string]}, "id")

    def _check_error(self, error: Json) -> None:
        if not isinstance(error, dict) or not {"code", "message"} <= error.keys():
            raise InvalidMessage("the error has no code or no message")
        if unknown := error.keys() - {"code", "message", "data"}:
            raise InvalidMessage(f"error: unknown members {sorted(unknown)}")
        self._check(error["code"], {"kind": "base", "name": "integer"}, "error.code")
        self._check(error["message"], {"kind": "base", "name": "string"}, "error.message")

    def _check_call(self, table: dict[str, Json], message: Json, direction: Direction) -> None:
        method = message["method"]
        call = table.get(method)
        if call is None or call["messageDirection"] not in (direction, "both"):
            raise InvalidMessage(f"{method} is not a {direction} message of this kind in LSP")
        if "params" not in call:
            if "params" in message:
                raise InvalidMessage(f"{method} has no params in LSP")
        elif "params" not in message:
            raise InvalidMessage(f"{method}: params are missing")
        else:
            self._check(message["params"], call["params"], f"{method}: params")

    def _check(self, value: Json, expected: Type, path: str) -> None:
        match expected["kind"]:
            case "base":
                if not BASE_TYPES[expected["name"]](value):
                    raise InvalidMessage(f"{path}: {value!r} is not of type {expected['name']}")
            case "stringLiteral":
                if value != expected["value"]:
                    raise InvalidMessage(f"{path}: {value!r} is not {expected['value']!r}")
            case "reference":
                self._check_reference(value, expected["name"], path)
            case "array":
                for number, item in enumerate(instance(value, list, path)):
                    self._check(item, expected["element"], f"{path}[{number}]")
            case "tuple":
                if len(instance(value, list, path)) != len(expected["items"]):
                    raise InvalidMessage(f"{path}: {len(value)} items")
                for number, (item, each) in enumerate(zip(value, expected["items"], strict=True)):
                    self._check(item, each, f"{path}[{number}]")
            case "map":
                for key, item in instance(value, dict, path).items():
                    self._check(key, expected["key"], f"{path}: key")
                    self._check(item, expected["value"], f"{path}.{key}")
            case "or":
                self._check_any(value, expected["items"], path)
            case "literal":
                self._check_members(value, expected["value"]["properties"], path)
            case kind:  # `and` occurs only in registration options, which no message contains
                raise NotImplementedError(kind)

    def _check_reference(self, value: Json, name: str, path: str) -> None:
        if name in self._aliases:
            self._check(value, self._aliases[name], path)
        elif name in self._enumerations:
            enumeration = self._enumerations[name]
            self._check(value, enumeration["type"], path)
            values = [entry["value"] for entry in enumeration["values"]]
            if value not in values and not enumeration.get("supportsCustomValues"):
                raise InvalidMessage(f"{path}: {value!r} is not one of {name}")
        else:
            self._check_members(value, list(self._properties(name)), path)

    def _check_any(self, value: Json, variants: list[Type], path: str) -> None:
        reasons = []
        for variant in variants:
            try:
                return self._check(value, variant, path)
            except InvalidMessage as refused:
                reasons.append(str(refused))
        raise InvalidMessage(f"{path} matches none of {len(variants)} types: {'; '.join(reasons)}")

    def _check_members(self, value: Json, properties: list[Json], path: str) -> None:
        members = instance(value, dict, path)
        known = {property_["name"]: property_ for property_ in properties}
        if unknown := members.keys() - known.keys():
            raise InvalidMessage(f"{path}: unknown members {sorted(unknown)}")
        for name, property_ in known.items():
            if name in members:
                self._check(members[name], property_["type"], f"{path}.{name}")
            elif not property_.get("optional"):
                raise InvalidMessage(f"{path}.{name} is missing")

    def _properties(self, name: str) -> Iterator[Json]:
        """Yield the properties of a structure, after those that it redefines."""
        structure = self._structures[name]
        for parent in [*structure.get("mixins", ()), *structure.get("extends", ())]:
            yield from self._properties(parent["name"])
        yield from structure["properties"]


def instance(value: Json, expected: type, path: str) -> Any:
    """Return a value of the expected type."""
    if not isinstance(value, expected):
        raise InvalidMessage(f"{path}: {value!r} is not a {expected.__name__}")
    return value


def is_integer(value: Json, lowest: int) -> bool:
    return type(value) is int and lowest <= value < 2**31


def is_uri(value: Json) -> bool:
    return isinstance(value, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", value) is not None


BASE_TYPES = {
    "URI": is_uri,
    "DocumentUri": is_uri,
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: is_integer(value, -(2**31)),
    "uinteger": lambda value: is_integer(value, 0),
    "decimal": lambda value: type(value) in (int, float),
    "null": lambda value: value is None,
}
