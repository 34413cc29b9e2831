"""Each request generated from the OpenRPC document gets one response, which the document allows."""

from __future__ import annotations

import json
from functools import cache
from random import Random
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.fuzz.generation import (
    DOCUMENT,
    METHODS,
    invalid_params,
    nearly_valid_params,
    valid_params,
)
from tests.fuzz.process import lines, run_sidecar
from tests.fuzz.rounds import run_rounds

REQUESTS = 300
"""Requests per round."""

LENIENT = {"initialize", "shutdown", "initialized", "exit"}
"""LSP methods, which ignore unknown params."""

IGNORED = {"workDoneToken", "partialResultToken", "_meta"}
"""Params that are ignored everywhere."""

ABSENT = (None, [], [None])
"""Values that count as no params."""

NOTIFICATIONS = {method["name"]: method for method in DOCUMENT["x-notifications"]}

pytestmark = pytest.mark.timeout(
    0
)  # each process has its own timeout, and the number of rounds varies


def requests(random: Random) -> list[dict[str, Any]]:
    """Return requests with ascending ids; the first is valid and selects the framing."""
    methods = [name for name in METHODS if name not in ("shutdown", "exit")]
    # An event is created once and answered once, so that few of these succeed.
    methods += 3 * ["events.create", "events.signal", "events.wait"]
    generated: list[dict[str, Any]] = [request_of(0, "sidecar.status", {})]
    for request_id in range(1, REQUESTS):
        method = random.choice(methods)
        make = random.choice((valid_params, valid_params, nearly_valid_params, invalid_params))
        params = make(random, method)
        if method == "$/cancelRequest" and isinstance(params, dict) and random.random() < 0.9:
            params = {"id": random.randrange(max(1, request_id - 5), request_id + 1)}
        generated.append(request_of(request_id, method, params))
    return generated


def request_of(request_id: int, method: str, params: Any) -> dict[str, Any]:
    request = {"jsonrpc": "2.0", "method": method, "params": params}
    return {**request, "id": request_id} if "result" in METHODS[method] else request


@cache
def validator(schema: str) -> Draft202012Validator:
    """Return the validator of a schema, written as JSON, of the document."""
    return Draft202012Validator({"components": DOCUMENT["components"], **json.loads(schema)})


def fits(schema: dict[str, Any], value: Any) -> bool:
    return validator(json.dumps(schema)).is_valid(value)


def allowed(method: str, params: Any) -> bool:
    """Return whether the document allows these params."""
    if params in ABSENT:
        params = {}
    if not isinstance(params, dict):
        return False
    declared = {param["name"]: param for param in METHODS[method]["params"]}
    unknown = params.keys() - declared.keys()
    required = {name for name, param in declared.items() if param["required"]}
    return (
        (method in LENIENT or unknown <= IGNORED)
        and required <= params.keys()
        and all(fits(declared[name]["schema"], params[name]) for name in params.keys() - unknown)
    )


def check_response(request: dict[str, Any], response: dict[str, Any]) -> None:
    method = METHODS[request["method"]]
    if "result" in response:
        assert allowed(request["method"], request["params"]), f"accepted: {request}"
        assert fits(method["result"]["schema"], response["result"]), (request, response)
        return
    error = response["error"]
    assert fits({"$ref": "#/components/schemas/Error"}, error), response
    kind = error["data"]["kind"]
    assert kind in {error["$ref"].rpartition("/")[2] for error in method["errors"]}, (
        request,
        error,
    )
    assert kind != "internal_error"
    assert error["code"] == DOCUMENT["components"]["errors"][kind]["code"]
    if not allowed(request["method"], request["params"]):
        assert kind in ("invalid_params", "invalid_request"), (request, error)


def check_notification(message: dict[str, Any]) -> None:
    declared = {
        param["name"]: param["schema"] for param in NOTIFICATIONS[message["method"]]["params"]
    }
    assert message["params"].keys() == declared.keys()
    assert all(fits(declared[name], value) for name, value in message["params"].items()), message


def test_every_request_gets_one_response_that_the_document_allows() -> None:
    succeeded: set[str] = set()
    failed: set[str] = set()

    def check(sent: list[dict[str, Any]]) -> None:
        done = run_sidecar("".join(json.dumps(request) + "\n" for request in sent).encode())
        responses: dict[int, dict[str, Any]] = {}
        for message in lines(done.stdout):
            if "method" in message:
                check_notification(message)
            else:
                assert message["id"] not in responses, "two responses"
                responses[message["id"]] = message
        expected = {request["id"]: request for request in sent if "id" in request}
        assert responses.keys() == expected.keys()
        for request_id, request in expected.items():
            check_response(request, responses[request_id])
            (failed if "error" in responses[request_id] else succeeded).add(request["method"])
        assert done.status == 0

    run_rounds(requests, check)
    # If all requests of a method failed, the check of its params alone would be tested.
    reached = {name for name, method in METHODS.items() if "result" in method} - {"shutdown"}
    assert succeeded == reached
    assert failed == reached
