"""The OpenRPC document is valid, and describes the sidecar."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT7, DRAFT202012

from flyte_sidecar.protocol.methods import METHODS
from flyte_sidecar.schema.openrpc import document
from tests import npm
from tests.conftest import ROOT, run

DOCUMENT = document()
DESCRIBED: dict[str, Any] = {method["name"]: method for method in DOCUMENT["methods"]}
SCHEMAS = ROOT / "schemas"
PACKAGES = Path(__file__).parent / "openrpc"
SHARED = "https://meta.json-schema.tools"
"""The name of draft 7 in OpenRPC's meta-schema, with and without a slash."""


@pytest.fixture(scope="session")
def meta_schema(tmp_path_factory: pytest.TempPathFactory) -> Draft7Validator:
    modules = npm.install(PACKAGES, tmp_path_factory)
    openrpc, shared = (
        DRAFT7.create_resource(json.loads((modules / path).read_text()))
        for path in (
            "@open-rpc/spec/dist/1_4/schema.json",
            "@json-schema-tools/meta-schema/schema.json",
        )
    )
    registry: Registry[Any] = Registry().with_resources(
        [(SHARED, shared), (f"{SHARED}/", shared), (openrpc.contents["$id"], openrpc)]
    )
    return Draft7Validator(openrpc.contents, registry=registry)


def test_the_document_is_a_valid_openrpc_document(meta_schema: Draft7Validator) -> None:
    meta_schema.validate(DOCUMENT)


INVALID_CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "another version": lambda doc: doc.update(openrpc="2.0.0"),
    "no version of the contract": lambda doc: doc["info"].pop("version"),
    "an unknown member": lambda doc: doc["methods"][0].update(notifications=[]),
    "params by name": lambda doc: doc["methods"][0].update(params={}),
    "a param without a schema": lambda doc: doc["methods"][2]["params"][0].pop("schema"),
    "a code as text": lambda doc: doc["components"]["errors"]["event_exists"].update(code="x"),
}


@pytest.mark.parametrize("name", INVALID_CHANGES)
def test_an_invalid_document_is_rejected(name: str, meta_schema: Draft7Validator) -> None:
    changed = copy.deepcopy(DOCUMENT)
    INVALID_CHANGES[name](changed)
    with pytest.raises(ValidationError):
        meta_schema.validate(changed)


def test_every_schema_in_the_document_is_valid_json_schema_2020_12() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for method in DESCRIBED.values():
        for descriptor in (*method["params"], method.get("result", {"schema": {}})):
            Draft202012Validator.check_schema(descriptor["schema"])


def test_the_document_has_all_of_the_committed_schemas() -> None:
    types, table = (
        json.loads((SCHEMAS / name).read_text().replace("#/$defs/", "#/components/schemas/"))
        for name in ("events.schema.json", "methods.json")
    )
    assert DOCUMENT["components"]["schemas"] == types["$defs"]
    assert DOCUMENT["info"]["version"] == table["protocolVersion"]
    assert DOCUMENT["info"]["x-schemaHash"] == table["schemaHash"]
    assert list(DESCRIBED) == [row["name"] for row in table["methods"]]
    for row in table["methods"]:
        method = DESCRIBED[row["name"]]
        assert method["summary"] == row["summary"]
        assert param_names(method) == members(row["params"], types)
        assert method.get("result", {}).get("schema") == row["result"]
        assert {error["$ref"].rpartition("/")[2] for error in method.get("errors", [])} >= set(
            row["errors"]
        )
    notifications = zip(DOCUMENT["x-notifications"], table["notifications"], strict=True)
    for notification, row in notifications:
        assert (notification["name"], notification["summary"]) == (row["name"], row["summary"])
        assert param_names(notification) == members(row["params"], types)
    assert {kind: error["code"] for kind, error in DOCUMENT["components"]["errors"].items()} == {
        row["kind"]: row["code"] for row in table["errors"]
    }


def param_names(method: dict[str, Any]) -> set[str]:
    return {param["name"] for param in method["params"]}


def members(reference: dict[str, str], types: dict[str, Any]) -> set[str]:
    return set(types["$defs"][reference["$ref"].rpartition("/")[2]]["properties"])


def test_every_reference_in_the_document_resolves() -> None:
    resolver = Registry().with_resource("", DRAFT202012.create_resource(DOCUMENT)).resolver()
    found = list(references(DOCUMENT))
    assert found
    for reference in found:
        resolver.lookup(reference)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for member in node.values():
            yield from references(member)
    elif isinstance(node, list):
        for member in node:
            yield from references(member)


def matches(schema: dict[str, Any], value: Any) -> None:
    components = {"components": DOCUMENT["components"]}
    Draft202012Validator({**components, **schema}).validate(value)


@pytest.mark.parametrize("name", DESCRIBED)
def test_the_example_of_a_method_matches_its_params_and_result(name: str) -> None:
    method = DESCRIBED[name]
    [pairing] = method["examples"]
    params = {param["name"]: param for param in method["params"]}
    values = {param["name"]: param["value"] for param in pairing["params"]}
    assert {name for name, param in params.items() if param["required"]} <= set(values)
    for param, value in values.items():
        matches(params[param]["schema"], value)
    assert ("result" in pairing) == ("result" in method)
    if "result" in method:
        matches(method["result"]["schema"], pairing["result"]["value"])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_lists_its_errors_and_those_of_any_request(method: Any) -> None:
    described = DESCRIBED[method.name]
    assert ("result" not in described) == method.notification
    if method.notification:
        assert "errors" not in described
        return
    kinds = [error["$ref"].rpartition("/")[2] for error in described["errors"]]
    assert len(kinds) == len(set(kinds))
    assert {error.kind for error in method.errors} | {"invalid_params"} <= set(kinds)


def test_required_params_come_first() -> None:
    for method in DESCRIBED.values():
        required = [param["required"] for param in method["params"]]
        assert required == sorted(required, reverse=True)


def test_rpc_discover_returns_the_document(command: dict[str, str]) -> None:
    process = run("flyte-sidecar", "call", "rpc.discover", env=command)
    assert json.loads(process.stdout) == DOCUMENT
