"""The wire contract as `schemas/` has it, in the terms that clients are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

PAYLOAD = "Payload"
"""The type that clients write by hand."""

BARE = "Params"
"""The params of methods that have none of their own."""

_NULL = {"type": "null"}

SCHEMAS = Path(__file__).parent.parent.parent / "schemas"


@dataclass(frozen=True)
class Type:
    """What a value is.

    Attributes
    ----------
    name
        `string`, `integer`, `number`, `boolean`, `object` (any), `instant`, or that of a named
        type.
    named
        Whether it is a named type's.
    words
        Whether it is a set of words.
    open
        Whether others than those may come.
    many
        Whether it is an array of those.
    """

    name: str
    named: bool = False
    words: bool = False
    open: bool = False
    many: bool = False


@dataclass(frozen=True)
class Member:
    """A member of an object; `types` are several where it is a union."""

    name: str
    doc: str
    types: tuple[Type, ...]
    nullable: bool
    required: bool


@dataclass(frozen=True)
class Choice:
    """A type of objects that have one of several forms, each a tuple of members."""

    name: str
    doc: str
    forms: tuple[tuple[Member, ...], ...]


@dataclass(frozen=True)
class Object:
    """An object type.

    Attributes
    ----------
    members
        All of its members, those of `choice` included.
    choice
        The type that restricts how some of its members are combined.
    """

    name: str
    doc: str
    members: tuple[Member, ...]
    choice: Choice | None = None

    def member(self, name: str) -> Member | None:
        """Give the member of that name."""
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True)
class Words:
    """A set of words."""

    name: str
    doc: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Method:
    """A request that clients have a stub for: `service.verb`.

    Attributes
    ----------
    params
        The type of its params; None for one that has none of its own.
    result
        The type of its result; None for one that is always null.
    nullable
        Whether the result may be null beside that.
    errors
        The kinds of its own.
    open_ended
        Whether it stays open until something happens.
    notifications
        Those of a watch.
    items
        The member of the result that holds what is listed, if it is a listing in pages.
    """

    name: str
    summary: str
    params: Object | None
    result: Type | None
    nullable: bool
    errors: tuple[str, ...]
    open_ended: bool
    notifications: tuple[Notification, ...]
    items: Member | None

    @property
    def service(self) -> str:
        """What stands before the dot."""
        return self.name.partition(".")[0]

    @property
    def verb(self) -> str:
        """What stands after the dot."""
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Notification:
    """What the sidecar tells while a watch is open."""

    name: str
    summary: str
    params: str


@dataclass(frozen=True)
class Error:
    """One kind of error."""

    kind: str
    code: int
    retryable: bool
    doc: str


class Contract:
    """All of it, read from a folder of schemas."""

    def __init__(self, folder: Path = SCHEMAS) -> None:
        self._types: dict[str, Any] = json.loads((folder / "events.schema.json").read_text())[
            "$defs"
        ]
        self._table: dict[str, Any] = json.loads((folder / "methods.json").read_text())
        self.protocol_version: str = self._table["protocolVersion"]
        self.schema_hash: str = self._table["schemaHash"]

    @cached_property
    def notifications(self) -> tuple[Notification, ...]:
        """Give all notifications."""
        return tuple(
            Notification(row["name"], row["summary"], _referred(row["params"]))
            for row in self._table["notifications"]
        )

    @cached_property
    def errors(self) -> tuple[Error, ...]:
        """Give all kinds of errors."""
        return tuple(
            Error(row["kind"], row["code"], row["retryable"], row["description"])
            for row in self._table["errors"]
        )

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """Give the methods that have stubs; the others are the connection's own business."""
        return tuple(self._method(row) for row in self._table["methods"] if "." in row["name"])

    @cached_property
    def services(self) -> dict[str, list[Method]]:
        """Give the methods by their services."""
        found: dict[str, list[Method]] = {}
        for method in self.methods:
            found.setdefault(method.service, []).append(method)
        return found

    @cached_property
    def types(self) -> tuple[Choice | Object | Words, ...]:
        """Give the types that clients need, but for the payload, which they write by hand."""
        needed: dict[str, None] = {}

        def need(schema: Any) -> None:
            if isinstance(schema, dict):
                name = _referred(schema) if "$ref" in schema else None
                if name is not None and name not in needed:
                    needed[name] = None
                    need(self._types[name])
                for member in schema.values():
                    need(member)
            elif isinstance(schema, list):
                for member in schema:
                    need(member)

        for row in self._table["methods"]:
            need(row["result"] or {})
            if "." in row["name"] and _referred(row["params"]) != BARE:
                need(row["params"])
        need([row["params"] for row in self._table["notifications"]])
        need({"$ref": "#/$defs/Error"})
        return tuple(self._type(name) for name in self._types if name in needed and name != PAYLOAD)

    @cached_property
    def payload(self) -> Object:
        """Give what is said of the payload."""
        return Object(PAYLOAD, self._types[PAYLOAD]["description"], ())

    def _type(self, name: str) -> Choice | Object | Words:
        schema = self._types[name]
        if "enum" in schema:
            return Words(name, schema["description"], tuple(schema["enum"]))
        return self._choice(name) if "oneOf" in schema else self._object(name)

    def _object(self, name: str) -> Object:
        schema = self._types[name]
        choices = [self._choice(_referred(one)) for one in schema.get("allOf", [])]
        assert len(choices) <= 1, name
        return Object(name, schema["description"], self._members(schema), *choices)

    def _choice(self, name: str) -> Choice:
        schema = self._types[name]
        return Choice(name, schema["description"], tuple(map(self._members, schema["oneOf"])))

    def _members(self, schema: dict[str, Any]) -> tuple[Member, ...]:
        required = schema.get("required", [])
        return tuple(
            self._member(member, given, required=member in required)
            for member, given in schema["properties"].items()
        )

    def _method(self, row: dict[str, Any]) -> Method:
        types, nullable = self._union(row["result"])
        result = types[0] if types else None
        told = [one for one in self.notifications if one.name in row["notifications"]]
        params = self._object(_referred(row["params"]))
        items = None
        if params.member("cursor") and result is not None:
            page = self._object(result.name)
            [items] = [member for member in page.members if member.types[0].many]
        return Method(
            name=row["name"],
            summary=row["summary"],
            params=None if params.name == BARE else params,
            result=result,
            nullable=nullable,
            errors=tuple(row["errors"]),
            open_ended=row["openEnded"],
            notifications=tuple(told),
            items=items,
        )

    def _member(self, name: str, schema: dict[str, Any], *, required: bool) -> Member:
        types, nullable = self._union(schema)
        doc = schema.get("description", "")
        if schema.get("default") is not None:
            doc += f" Default: `{json.dumps(schema['default'])}`."
        return Member(name, doc.strip(), types, nullable, required)

    def _union(self, schema: dict[str, Any]) -> tuple[tuple[Type, ...], bool]:
        """Give what a value may be, and whether it may be null."""
        if "anyOf" not in schema:
            return ((), True) if schema == _NULL else ((self._one(schema),), False)
        given = [one for one in schema["anyOf"] if one != _NULL]
        nullable = len(given) < len(schema["anyOf"])
        types = tuple(map(self._one, given))
        if len(types) == 2 and types[0].words and types[1].name == "string":
            return (replace(types[0], open=True),), nullable
        return types, nullable

    def _one(self, schema: dict[str, Any]) -> Type:
        if "$ref" in schema:
            name = _referred(schema)
            return Type(name, named=True, words="enum" in self._types[name])
        if schema["type"] == "array":
            [item] = self._union(schema["items"])[0]
            return replace(item, many=True)
        return Type("instant" if schema.get("format") == "date-time" else schema["type"])


def _referred(schema: dict[str, Any]) -> str:
    name: str = schema["$ref"].rpartition("/")[2]
    return name
