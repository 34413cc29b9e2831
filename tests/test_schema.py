"""schemas/ is what the code says, and what the sidecar does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sidecar import errors, schema
from sidecar.client import Client, RequestError
from sidecar.protocol import PROTOCOL_VERSION
from sidecar.protocol.methods import METHODS
from tests.conftest import ROOT


def test_the_committed_schemas_are_those_of_the_code() -> None:
    committed = {path.name: path.read_bytes() for path in (ROOT / "schemas").iterdir()}
    assert committed == schema.files(), "run `make schemas` and commit what it changes"
    told = (ROOT / "sidecar" / "protocol" / "hash.py").read_text()
    assert told == schema.hash_module(), "run `make schemas` and commit what it changes"


def test_the_schemas_are_valid_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.events_schema())


def test_every_member_of_every_type_that_needs_one_has_a_description() -> None:
    event = schema.events_schema()["$defs"]["Event"]
    assert [
        name for name, member in event["properties"].items() if "description" not in member
    ] == []


def test_error_codes_follow_the_order_of_the_contract() -> None:
    table = {kind.kind: kind.code for kind in errors.KINDS}
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


def test_strings_of_results_are_left_open_and_those_of_params_closed() -> None:
    types = schema.events_schema()["$defs"]
    assert "enum" not in json.dumps(types["Event"])
    assert "enum" in json.dumps(types["CreateParams"])
    assert types["SignalParams"]["additionalProperties"] is False
    assert types["Event"].get("additionalProperties", True) is not False


def validator(reference: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**schema.events_schema(), **reference})


async def exchange(store: Path) -> list[tuple[str, dict[str, Any], Any]]:
    """Give method, params and result of a conversation with a real sidecar."""
    run = {"runName": "r1"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("initialize", {}),
        ("events.create", {**run, "name": "deploy", "expiresInSeconds": 3600}),
        ("events.create", {**run, "name": "count", "expectedType": "int", "group": "g"}),
        ("events.create", {**run, "name": "rate", "expectedType": "float"}),
        ("events.create", {**run, "name": "left"}),
        ("events.get", {**run, "name": "deploy"}),
        ("events.get", {**run, "name": "nothing"}),
        ("events.signal", {**run, "name": "deploy", "payload": True}),
        ("events.signal", {**run, "name": "count", "payload": str(2**63 - 1)}),
        ("events.signal", {**run, "name": "rate", "payload": "NaN"}),
        ("events.wait", {**run, "name": "deploy", "timeoutSeconds": 5}),
        ("events.abort", {**run, "name": "left", "reason": "no longer needed"}),
        ("events.list", {**run, "limit": 2, "phases": ["SUCCEEDED"], "details": True}),
        ("events.pending", {"limit": 1}),
        ("runs.list", {"pendingOnly": True}),
        ("events.watch", {**run, "watch": "w"}),
        ("events.unwatch", {"watch": "w"}),
        ("sidecar.status", {}),
    ]
    told: list[tuple[str, dict[str, Any], Any]] = []
    async with Client.spawn("--store", str(store)) as client:
        synced = asyncio.Event()

        def notified(name: str, params: Any) -> None:
            told.append((name, params, None))
            if name == "events.synced":
                synced.set()

        client.on_notification = notified
        watching: list[asyncio.Future[Any]] = []
        for name, params in calls:
            asked = asyncio.ensure_future(client.request(name, **params))
            if name == "events.watch":
                watching.append(asked)
                await synced.wait()
            else:
                told.append((name, params, await asked))
        for asked in watching:
            told.append(("events.watch", {**run, "watch": "w"}, await asked))
    return told


async def refusals(store: Path) -> list[dict[str, Any]]:
    async with Client.spawn("--store", str(store)) as client:
        errors_told = []
        for method, params in (
            ("events.signal", {"runName": "r1", "name": "deploy", "payload": False}),
            ("events.signal", {"runName": "r1", "name": "nothing", "payload": False}),
            ("events.create", {"runName": "r1", "name": "deploy"}),
            ("events.get", {"runName": 1}),
            ("no.such", {}),
        ):
            with pytest.raises(RequestError) as raised:
                await client.request(method, **params)
            error = raised.value
            errors_told.append({"code": error.code, "message": error.message, "data": error.data})
        return errors_told


def test_what_the_sidecar_takes_and_answers_fits_the_schemas(store: Path) -> None:
    table = {method["name"]: method for method in schema.method_table()["methods"]}
    seen = set()
    notifications = {one["name"]: one for one in schema.method_table()["notifications"]}
    for method, params, result in asyncio.run(exchange(store)):
        seen.add(method)
        if method in notifications:
            validator(notifications[method]["params"]).validate(params)
            continue
        validator(table[method]["params"]).validate(params)
        validator(table[method]["result"]).validate(result)
    told = asyncio.run(refusals(store))
    for error in told:
        validator({"$ref": "#/$defs/Error"}).validate(error)
    assert [error["data"]["kind"] for error in told] == [
        "already_signalled",
        "event_not_found",
        "event_exists",
        "invalid_params",
        "method_not_found",
    ]
    requests = {method.name for method in METHODS if not method.notification}
    assert seen == (requests - {"shutdown"}) | {"events.changed", "events.synced"}


def test_initialize_tells_version_and_hash_of_the_committed_schemas(store: Path) -> None:
    result = asyncio.run(exchange(store))[0][2]
    committed = json.loads((ROOT / "schemas" / "methods.json").read_text())
    assert result["protocolVersion"] == committed["protocolVersion"] == PROTOCOL_VERSION
    assert result["schemaHash"] == committed["schemaHash"]
    assert result["capabilities"]["experimental"]["flyteSidecar"] == {
        name: result[name] for name in ("protocolVersion", "schemaHash", "backend")
    }
