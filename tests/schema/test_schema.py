"""The schemas are up to date, and describe what the sidecar does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec import NODEFAULT, Struct, structs

from flyte_sidecar import errors, schema
from flyte_sidecar.events.model import NewEvent, PendingQuery, Query, RunsQuery
from flyte_sidecar.protocol import PROTOCOL_VERSION
from flyte_sidecar.protocol.params import CreateParams, ListParams, PendingParams, RunsParams
from flyte_sidecar.protocol.schema_hash import SCHEMA_HASH
from tests.conftest import ROOT, run


def test_the_committed_schemas_are_up_to_date() -> None:
    committed = {path.name: path.read_bytes() for path in (ROOT / "schemas").glob("*.json")}
    expected = schema.files()
    del expected[schema.DERIVED]
    assert committed == expected, "run `make generate` and commit what it changes"
    module = (ROOT / "sidecar" / "flyte_sidecar" / "protocol" / "schema_hash.py").read_text()
    assert module == schema.hash_module(), "run `make generate` and commit what it changes"


def test_the_schemas_are_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.events_schema())


TYPES = schema.events_schema()["$defs"]


@pytest.mark.parametrize("name", TYPES)
def test_every_type_and_each_of_its_members_is_described(name: str) -> None:
    members = TYPES[name].get("properties", {})
    bare = {name for name, schema in members.items() if not {"description", "$ref"} & set(schema)}
    named = {name for name in bare if "$ref" in members[name].get("anyOf", [{}])[0]}
    assert bare - named == set()
    assert TYPES[name]["description"]


@pytest.mark.parametrize(
    ("target", "valid"),
    [
        ({"name": "n"}, True),
        ({"name": "n", "parent": "a0", "actionName": None}, True),
        ({"actionName": "a1"}, True),
        ({"actionName": "a1", "name": None, "parent": None}, True),
        ({}, False),
        ({"name": None, "actionName": None}, False),
        ({"parent": "a0"}, False),
        ({"name": "n", "actionName": "a1"}, False),
        ({"actionName": "a1", "parent": "a0"}, False),
    ],
)
def test_a_target_selects_an_event_by_id_or_by_name(
    target: dict[str, Any], valid: bool, store: Path
) -> None:
    params = {"runName": "r1", **target}
    checked = jsonschema.Draft202012Validator({**schema.events_schema(), **TYPES["GetParams"]})
    assert checked.is_valid(params) is valid
    arguments = ("--store", store, "call", "events.get", json.dumps(params))
    done = run(sys.executable, "-m", "flyte_sidecar", *arguments, env=dict(os.environ))
    assert done.returncode == (0 if valid else 1)
    assert ("invalid_params" in done.stderr) is not valid


def test_error_codes_follow_the_order_of_the_contract() -> None:
    table = {kind.kind: kind.code for kind in errors.ERRORS}
    assert list(table)[:6] == [
        "parse_error",
        "invalid_request",
        "method_not_found",
        "invalid_params",
        "internal_error",
        "request_cancelled",
    ]
    own = [
        "message_too_large",
        "deadline_exceeded",
        "event_not_found",
        "ambiguous_event",
        "event_exists",
        "payload_type_mismatch",
        "already_signalled",
        "already_completed",
        "unsupported_by_backend",
        "backend_unavailable",
        "unauthenticated",
        "permission_denied",
        "backend_error",
        "store_busy",
        "store_unavailable",
        "cursor_expired",
        "too_many_waits",
        "shutting_down",
    ]
    assert {kind: table[kind] for kind in own} == dict(zip(own, range(1001, 1019), strict=True))
    assert len(table) == 6 + len(own)


def test_enums_are_open_in_results_and_closed_in_params() -> None:
    reference = {"$ref": "#/$defs/ExpectedType"}
    types, null = TYPES["Event"]["properties"]["expectedType"]["anyOf"][:2], {"type": "null"}
    assert types == [reference, {"type": "string"}]
    assert TYPES["CreateParams"]["properties"]["expectedType"]["anyOf"] == [reference, null]
    assert set(TYPES["ExpectedType"]["enum"]) == {"bool", "int", "float", "str"}


def test_params_are_closed_and_results_are_open() -> None:
    lenient = {"InitializeParams", "LenientParams", "CancelParams"}
    for name, definition in TYPES.items():
        closed = name == "EventRef" or (name.endswith("Params") and name not in lenient)
        assert (definition.get("additionalProperties") is False) == closed, name


@pytest.mark.parametrize(
    ("params", "model"),
    [
        (CreateParams, NewEvent),
        (ListParams, Query),
        (PendingParams, PendingQuery),
        (RunsParams, RunsQuery),
    ],
)
def test_params_have_the_default_values_of_the_model(
    params: type[Struct], model: type[Struct]
) -> None:
    of_model = {field.name: field.default for field in structs.fields(model)}
    members = TYPES[params.__name__]["properties"]
    shared = [field for field in structs.fields(params) if field.name in of_model]
    assert shared
    for field in shared:
        default = of_model[field.name]
        assert field.default == default
        assert members[field.encode_name].get("default", NODEFAULT) == default


def test_the_schema_has_all_error_kinds() -> None:
    assert TYPES["ErrorKind"]["enum"] == [kind.kind for kind in errors.ERRORS]


def test_the_verb_writes_the_schemas_into_a_folder(tmp_path: Path, command: dict[str, str]) -> None:
    done = run("flyte-sidecar", "schema", "--out", tmp_path / "new" / "folder", env=command)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    written = {path.name: path.read_bytes() for path in (tmp_path / "new" / "folder").iterdir()}
    assert written == schema.files()


def test_the_verb_prints_the_openrpc_document(command: dict[str, str]) -> None:
    done = run("flyte-sidecar", "schema", env=command, text=False)
    assert (done.returncode, done.stdout) == (0, schema.files()["openrpc.json"])


def test_the_verb_names_a_folder_that_it_cannot_write_to(
    tmp_path: Path, command: dict[str, str]
) -> None:
    (tmp_path / "file").touch()
    done = run("flyte-sidecar", "schema", "--out", tmp_path / "file", env=command)
    assert done.returncode == 1
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_the_verb_uses_no_deployment(command: dict[str, str]) -> None:
    env = {**command, "FLYTE_SIDECAR_BACKEND": "flyte"}
    done = run("flyte-sidecar", "schema", env=env, text=False)
    assert (done.returncode, done.stdout) == (0, schema.files()["openrpc.json"])


@pytest.mark.posix
def test_a_closed_stdout_is_a_one_line_error(command: dict[str, str]) -> None:
    done = run("sh", "-c", "flyte-sidecar schema >&-", env=command)
    assert (done.returncode, done.stderr) == (1, "flyte-sidecar: stdout is closed\n")


def test_the_method_table_has_the_current_hash_and_version() -> None:
    assert schema.method_table()["schemaHash"] == SCHEMA_HASH
    assert schema.method_table()["protocolVersion"] == PROTOCOL_VERSION
