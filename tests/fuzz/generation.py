"""Values generated from the contract's JSON Schemas, and values that violate them.

hypothesis-jsonschema could generate the valid ones, but its last release does not support current
releases of Hypothesis. The schemas of params use few keywords; an unknown keyword is an error.
"""

from __future__ import annotations

import re
import sys
from random import Random
from typing import Any

from flyte_sidecar.schema.openrpc import document

DOCUMENT = document()
METHODS: dict[str, Any] = {method["name"]: method for method in DOCUMENT["methods"]}

WORDS = ("a", "B", "r1", "r2", "", "x" * 1000, "é", "\u2028", "\0", "\U0001f44d", "\ud7ff", "a/b~c")
NUMBERS = (0, 1, 2, -1, 3.5, 100, 1000, 1001, 2**53, -(2**63), 2**63, 1e300, 5e-324, -0.0, 10.0)
ANY = (None, True, False, [], {}, [None], {"a": 1}, *WORDS, *NUMBERS)

NAMED = {
    "runName": ("r1", "r2"),
    "name": ("a", "b", "c"),
    "parent": ("a0", None),
    "expectedType": ("bool", "int"),
    "payload": (True, 1),
    "payloadType": (None, "int"),
    "org": (None,),
    "project": (None, "local"),
    "domain": (None,),
    "watch": ("w1", "w2", "w3"),
    "timeoutSeconds": (0.01, 0.2),
    "processId": (None,),
}
"""Valid values, few enough that many requests name the same events."""

ALWAYS = {"timeoutSeconds", "processId"}
"""Params that only have the values above: others would delay or hasten the end of the process."""

KEYWORDS = {
    *("anyOf", "type", "$ref", "items", "enum", "default", "title", "description", "examples"),
    *("minimum", "maximum", "exclusiveMinimum", "minLength", "maxLength", "pattern"),
    *("minItems", "maxItems", "properties", "required", "additionalProperties"),
}


def valid_params(random: Random, method: str) -> dict[str, Any]:
    """Return params that the schema of a method allows."""
    params: dict[str, Any] = {}
    for param in METHODS[method]["params"]:
        if param["required"] or random.random() < 0.35:
            params[param["name"]] = _member(random, param)
    return params


def nearly_valid_params(random: Random, method: str) -> dict[str, Any]:
    """Return params of which one member is invalid."""
    params = valid_params(random, method)
    kind = random.choice(("add", "drop", "change", "change", "rename"))
    name = random.choice([*params, "x"])
    if kind == "add" or name not in params:
        params[random.choice(("x", "run_name", "id", "_meta", "workDoneToken"))] = random.choice(
            ANY
        )
    elif kind == "drop":
        del params[name]
    elif kind == "change" and name not in ALWAYS:
        params[name] = random.choice(ANY)
    else:
        params[name.upper()] = params.pop(name)
    return params


def invalid_params(random: Random, _: str) -> Any:
    """Return any JSON value."""
    return random.choice(ANY)


def _member(random: Random, param: dict[str, Any]) -> Any:
    name = param["name"]
    if name in ALWAYS or (name in NAMED and random.random() < 0.95):
        return random.choice(NAMED[name])
    return _value(random, param["schema"])


def _value(random: Random, schema: dict[str, Any]) -> Any:
    assert schema.keys() <= KEYWORDS, f"the generator does not know {schema.keys() - KEYWORDS}"
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        return _value(random, DOCUMENT["components"]["schemas"][name])
    if "anyOf" in schema:
        return _value(random, random.choice(schema["anyOf"]))
    if "enum" in schema:
        return random.choice(schema["enum"])
    return _of_type(random, schema)


def _of_type(random: Random, schema: dict[str, Any]) -> Any:
    match schema["type"]:
        case "null":
            return None
        case "boolean":
            return random.random() < 0.5
        case "integer" | "number":
            low = schema.get("minimum", schema.get("exclusiveMinimum", -sys.maxsize))
            high = schema.get("maximum", sys.maxsize)
            if schema["type"] == "number":
                return random.uniform(low, high) or high
            return random.choice((low, high, random.randint(low, high)))
        case "string":
            pattern = re.compile(schema.get("pattern", ""))
            length = range(schema.get("minLength", 0), schema.get("maxLength", 1000) + 1)
            fitting = [word for word in WORDS if len(word) in length and pattern.search(word)]
            return random.choice(fitting)
        case "array":
            least = schema.get("minItems", 0)
            length = random.randrange(least, least + 4)
            return [_value(random, schema["items"]) for _ in range(length)]
        case "object":
            required = schema.get("required", [])
            return {
                name: _member(random, {"name": name, "schema": member})
                for name, member in schema.get("properties", {}).items()
                if name in required or random.random() < 0.35
            }
    raise AssertionError(f"the generator does not know the type {schema['type']}")
