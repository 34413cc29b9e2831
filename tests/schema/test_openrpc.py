"""The OpenRPC document is one, and says of the sidecar what is true."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT7, DRAFT202012

from flyte_sidecar.protocol.methods import METHODS
from flyte_sidecar.schema.openrpc import document
from tests.conftest import ROOT, needs, run, worker_lock

DOCUMENT = document()
METHODS_TOLD: dict[str, Any] = {method["name"]: method for method in DOCUMENT["methods"]}
SCHEMAS = ROOT / "schemas"
PACKAGES = Path(__file__).parent / "openrpc"
SHARED = "https://meta.json-schema.tools"
"""By which name, with and without a slash, OpenRPC's meta-schema refers to that of draft 7."""


@pytest.fixture(scope="session")
def meta_schema(tmp_path_factory: pytest.TempPathFactory) -> Draft7Validator:
    modules = PACKAGES / "node_modules"
    with worker_lock("openrpc", tmp_path_factory):
        if not modules.exists():
            done = run(needs("npm"), "ci", "--silent", env=dict(os.environ), cwd=PACKAGES)
            assert done.returncode == 0, done.stderr
    of_openrpc, shared = (
        DRAFT7.create_resource(json.loads((modules / path).read_text()))
        for path in (
            "@open-rpc/spec/dist/1_4/schema.json",
            "@json-schema-tools/meta-schema/schema.json",
        )
    )
    registry: Registry[Any] = Registry().with_resources(
        [(SHARED, shared), (f"{SHARED}/", shared), (of_openrpc.contents["$id"], of_openrpc)]
    )
    return Draft7Validator(of_openrpc.contents, registry=registry)


def test_the_document_is_one_of_openrpc(meta_schema: Draft7Validator) -> None:
    meta_schema.validate(DOCUMENT)


BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another version": lambda made: made.update(openrpc="2.0.0"),
    "no version of the contract": lambda made: made["info"].pop("version"),
    "an unknown member": lambda made: made["methods"][0].update(notifications=[]),
    "params by name": lambda made: made["methods"][0].update(params={}),
    "a param without a schema": lambda made: made["methods"][2]["params"][0].pop("schema"),
    "a code in words": lambda made: made["components"]["errors"]["event_exists"].update(code="x"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_document_that_is_none_is_refused(name: str, meta_schema: Draft7Validator) -> None:
    made = copy.deepcopy(DOCUMENT)
    BREAKS[name](made)
    with pytest.raises(ValidationError):
        meta_schema.validate(made)


def test_every_schema_in_it_is_of_json_schema_2020_12() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for method in METHODS_TOLD.values():
        for told in (*method["params"], method.get("result", {"schema": {}})):
            Draft202012Validator.check_schema(told["schema"])


def test_the_document_has_all_of_the_committed_schemas() -> None:
    types, table = (
        json.loads((SCHEMAS / name).read_text().replace("#/$defs/", "#/components/schemas/"))
        for name in ("events.schema.json", "methods.json")
    )
    assert DOCUMENT["components"]["schemas"] == types["$defs"]
    assert DOCUMENT["info"]["version"] == table["protocolVersion"]
    assert DOCUMENT["info"]["x-schemaHash"] == table["schemaHash"]
    assert list(METHODS_TOLD) == [row["name"] for row in table["methods"]]
    for row in table["methods"]:
        method = METHODS_TOLD[row["name"]]
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


def test_every_reference_in_it_leads_somewhere() -> None:
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


def fits(schema: dict[str, Any], value: Any) -> None:
    components = {"components": DOCUMENT["components"]}
    Draft202012Validator({**components, **schema}).validate(value)


@pytest.mark.parametrize("name", METHODS_TOLD)
def test_a_method_has_an_example_of_what_it_takes_and_gives(name: str) -> None:
    method = METHODS_TOLD[name]
    [pairing] = method["examples"]
    params = {param["name"]: param for param in method["params"]}
    given = {param["name"]: param["value"] for param in pairing["params"]}
    assert {name for name, param in params.items() if param["required"]} <= set(given)
    for param, value in given.items():
        fits(params[param]["schema"], value)
    assert ("result" in pairing) == ("result" in method)
    if "result" in method:
        fits(method["result"]["schema"], pairing["result"]["value"])


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_tells_the_errors_of_its_own_and_those_of_any(method: Any) -> None:
    told = METHODS_TOLD[method.name]
    assert ("result" not in told) == method.notification
    if method.notification:
        assert "errors" not in told
        return
    kinds = [error["$ref"].rpartition("/")[2] for error in told["errors"]]
    assert len(kinds) == len(set(kinds))
    assert {error.kind for error in method.errors} | {"invalid_params"} <= set(kinds)


def test_required_params_stand_before_the_others() -> None:
    for method in METHODS_TOLD.values():
        required = [param["required"] for param in method["params"]]
        assert required == sorted(required, reverse=True)


def test_rpc_discover_gives_the_document(command: dict[str, str]) -> None:
    done = run("flyte-sidecar", "call", "rpc.discover", env=command)
    assert json.loads(done.stdout) == DOCUMENT
