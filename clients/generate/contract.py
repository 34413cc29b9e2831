"""The wire contract, read from `schemas/` into the classes that the generators use."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

PAYLOAD = "Payload"
"""The type that each client implements by hand."""

COMMON_PARAMS = "Params"
"""The type of the params of methods that have no params of their own."""

_NULL = {"type": "null"}

SCHEMAS = Path(__file__).parent.parent.parent / "schemas"


@dataclass(frozen=True)
class Type:
    """The type of a value.

    Attributes
    ----------
    name
        `string`, `integer`, `number`, `boolean`, `object` (any object), `timestamp`, or the name of
        a type of the contract.
    named
        Whether it is a type of the contract.
    is_enum
        Whether it is an enum.
    open
        Whether an enum allows values that are not listed.
    is_array
        Whether the value is an array of this type.
    """

    name: str
    named: bool = False
    is_enum: bool = False
    open: bool = False
    is_array: bool = False


@dataclass(frozen=True)
class Member:
    """A member of an object; it has several `types` if it is a union."""

    name: str
    doc: str
    types: tuple[Type, ...]
    nullable: bool
    required: bool


@dataclass(frozen=True)
class OneOf:
    """A type with several alternatives, each a tuple of members."""

    name: str
    doc: str
    alternatives: tuple[tuple[Member, ...], ...]


@dataclass(frozen=True)
class Object:
    """An object type.

    Attributes
    ----------
    members
        All of its members, including those of `one_of`.
    one_of
        The type that restricts the combinations of some members, if any.
    is_sent
        Whether it is a part of params, rather than of results.
    """

    name: str
    doc: str
    members: tuple[Member, ...]
    one_of: OneOf | None = None
    is_sent: bool = False

    def member(self, name: str) -> Member | None:
        """Return the member with a name."""
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True)
class Enum:
    """A type of strings with known values."""

    name: str
    doc: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Method:
    """A method that clients have a stub for: `service.verb`.

    Attributes
    ----------
    params
        The type of the params; None if the method has none of its own.
    result
        The type of the result; None if it is always null.
    nullable
        Whether a result of that type may also be null.
    errors
        The error kinds of this method, in addition to those of every method.
    open_ended
        Whether a call may stay open indefinitely.
    notifications
        The notifications sent while a call is open.
    items
        The member of the result that contains the items of a page, its first list, if the method
        is a listing.
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
        """The part of the name before the dot."""
        return self.name.partition(".")[0]

    @property
    def verb(self) -> str:
        """The part of the name after the dot."""
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Notification:
    """A notification that the sidecar sends."""

    name: str
    summary: str
    params: str


@dataclass(frozen=True)
class Error:
    """A kind of error."""

    kind: str
    code: int
    retryable: bool
    doc: str


class Contract:
    """The wire contract of a folder of schemas."""

    def __init__(self, folder: Path = SCHEMAS) -> None:
        self._types: dict[str, Any] = json.loads((folder / "events.schema.json").read_text())[
            "$defs"
        ]
        self._table: dict[str, Any] = json.loads((folder / "methods.json").read_text())
        self.protocol_version: str = self._table["protocolVersion"]
        self.schema_hash: str = self._table["schemaHash"]

    @cached_property
    def notifications(self) -> tuple[Notification, ...]:
        """All notifications."""
        return tuple(
            Notification(row["name"], row["summary"], _ref_name(row["params"]))
            for row in self._table["notifications"]
        )

    @cached_property
    def of_watches(self) -> tuple[Notification, ...]:
        """The notifications of an open watch."""
        names = {name for row in self._table["methods"] for name in row["notifications"]}
        return tuple(note for note in self.notifications if note.name in names)

    @cached_property
    def errors(self) -> tuple[Error, ...]:
        """All kinds of errors."""
        return tuple(
            Error(row["kind"], row["code"], row["retryable"], row["description"])
            for row in self._table["errors"]
        )

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """The methods that have stubs. The others are used by the connection itself."""
        return tuple(self._method(row) for row in self._table["methods"] if "." in row["name"])

    @cached_property
    def services(self) -> dict[str, list[Method]]:
        """The methods, by service."""
        services: dict[str, list[Method]] = {}
        for method in self.methods:
            services.setdefault(method.service, []).append(method)
        return services

    @cached_property
    def types(self) -> tuple[Enum | Object | OneOf, ...]:
        """The types that clients need, except the payload, which is implemented by hand."""
        received = [row["result"] for row in self._table["methods"]]
        received += [row["params"] for row in self._table["notifications"]]
        received.append({"$ref": "#/$defs/Error"})
        needed = self._sent | self._referred(received)
        return tuple(self._type(name) for name in self._types if name in needed and name != PAYLOAD)

    @cached_property
    def _sent(self) -> set[str]:
        """The types of the params that clients need."""
        params = [row["params"] for row in self._table["methods"] if "." in row["name"]]
        return self._referred([each for each in params if _ref_name(each) != COMMON_PARAMS])

    def _referred(self, schema: Any) -> set[str]:
        """Return the types to which a schema refers, directly or not."""
        names: set[str] = set()
        schemas = [schema]
        while schemas:
            schema = schemas.pop()
            if isinstance(schema, dict):
                schemas += schema.values()
                if "$ref" in schema and (name := _ref_name(schema)) not in names:
                    names.add(name)
                    schemas.append(self._types[name])
            elif isinstance(schema, list):
                schemas += schema
        return names

    @cached_property
    def payload(self) -> Object:
        """The payload's name and description."""
        return Object(PAYLOAD, self._types[PAYLOAD]["description"], ())

    def _type(self, name: str) -> Enum | Object | OneOf:
        schema = self._types[name]
        if "enum" in schema:
            return Enum(name, schema["description"], tuple(schema["enum"]))
        return self._one_of(name) if "oneOf" in schema else self._object(name)

    def _object(self, name: str) -> Object:
        schema = self._types[name]
        one_of = [self._one_of(_ref_name(ref)) for ref in schema.get("allOf", [])]
        assert len(one_of) <= 1, name
        return Object(
            name,
            schema["description"],
            self._members(schema),
            one_of[0] if one_of else None,
            is_sent=name in self._sent,
        )

    def _one_of(self, name: str) -> OneOf:
        schema = self._types[name]
        return OneOf(name, schema["description"], tuple(map(self._members, schema["oneOf"])))

    def _members(self, schema: dict[str, Any]) -> tuple[Member, ...]:
        required = schema.get("required", [])
        return tuple(
            self._member(name, member, required=name in required)
            for name, member in schema["properties"].items()
        )

    def _method(self, row: dict[str, Any]) -> Method:
        types, nullable = self._union(row["result"])
        result = types[0] if types else None
        notifications = [note for note in self.notifications if note.name in row["notifications"]]
        params = self._object(_ref_name(row["params"]))
        items = None
        if params.member("cursor") and result is not None:
            page = self._object(result.name)
            items = next(member for member in page.members if member.types[0].is_array)
        return Method(
            name=row["name"],
            summary=row["summary"],
            params=None if params.name == COMMON_PARAMS else params,
            result=result,
            nullable=nullable,
            errors=tuple(row["errors"]),
            open_ended=row["openEnded"],
            notifications=tuple(notifications),
            items=items,
        )

    def _member(self, name: str, schema: dict[str, Any], *, required: bool) -> Member:
        types, nullable = self._union(schema)
        doc = schema.get("description", "")
        if schema.get("default") is not None:
            doc += f" Default: `{json.dumps(schema['default'])}`."
        return Member(name, doc.strip(), types, nullable, required)

    def _union(self, schema: dict[str, Any]) -> tuple[tuple[Type, ...], bool]:
        """Return the types of a value, without null, and whether it may be null."""
        if "anyOf" not in schema:
            return ((), True) if schema == _NULL else ((self._single_type(schema),), False)
        schemas = [member for member in schema["anyOf"] if member != _NULL]
        nullable = len(schemas) < len(schema["anyOf"])
        types = tuple(map(self._single_type, schemas))
        if len(types) == 2 and types[0].is_enum and types[1].name == "string":
            return (replace(types[0], open=True),), nullable
        return types, nullable

    def _single_type(self, schema: dict[str, Any]) -> Type:
        if "$ref" in schema:
            name = _ref_name(schema)
            return Type(name, named=True, is_enum="enum" in self._types[name])
        if schema["type"] == "array":
            [item] = self._union(schema["items"])[0]
            return replace(item, is_array=True)
        return Type("timestamp" if schema.get("format") == "date-time" else schema["type"])


def _ref_name(schema: dict[str, Any]) -> str:
    name: str = schema["$ref"].rpartition("/")[2]
    return name
