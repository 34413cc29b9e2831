"""The examples in the schemas are what a real sidecar returns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from flyte_sidecar import schema
from flyte_sidecar.conformance.placeholders import normalize
from flyte_sidecar.protocol.methods import METHODS, Method
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.schema.examples import DEPLOY, THRESHOLD, examples
from tests.e2e.process import Process
from tests.schema.conftest import Matches

EXAMPLES = examples()
NOT_PLAYED = {"$/cancelRequest", "rpc.discover"}
"""There is no request to cancel, and the example of the document is shortened."""


@pytest.fixture
def sidecar(store: Path) -> Iterator[Process]:
    process = Process(store)
    yield process
    process.clear()


def test_every_method_has_an_example() -> None:
    assert set(EXAMPLES) == {method.name for method in METHODS}


def test_a_real_sidecar_returns_the_results_of_the_examples(sidecar: Process) -> None:
    received: dict[str, Any] = {}

    def receive_until(name: str) -> None:
        while name not in received:
            message = sidecar.answer()
            received[message.get("id") or message["method"]] = message.get("result", "no result")

    for method, example in EXAMPLES.items():
        params = json.loads(_with_ids(json.dumps(example.params), received))
        if method == "events.abort":
            sidecar.request("aborted", "events.create", **_event_to_abort())
            receive_until("aborted")
        if method in NOT_PLAYED:
            continue
        if example.result is UNSET:
            sidecar.send({"jsonrpc": "2.0", "method": method, "params": params})
            continue
        sidecar.request(method, method, **params)
        receive_until("events.synced" if method == "events.watch" else method)
    assert sidecar.status() == 0
    expected = {
        method: json.loads(encode(example.result))
        for method, example in EXAMPLES.items()
        if example.result is not UNSET and method not in NOT_PLAYED
    }
    assert _comparable(received, expected) == _comparable(expected, expected)


def _with_ids(params: str, received: dict[str, Any]) -> str:
    """Return params with the ids of the events that were created."""
    for event, request_id in ((DEPLOY, "events.create"), (THRESHOLD, "aborted")):
        if request_id in received:
            params = params.replace(event.action_name, received[request_id]["actionName"])
    return params


def _event_to_abort() -> dict[str, Any]:
    return {
        "runName": THRESHOLD.run_name,
        "name": THRESHOLD.name,
        "prompt": THRESHOLD.prompt,
        "expectedType": THRESHOLD.expected_type,
    }


def _comparable(results: dict[str, Any], methods: Iterable[str]) -> Any:
    text = json.dumps([results[method] for method in methods], separators=(",", ":"))
    return json.loads(normalize(text))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_an_example_matches_the_schemas(method: Method, matches: Matches) -> None:
    example = EXAMPLES[method.name]
    [row] = [row for row in schema.method_table()["methods"] if row["name"] == method.name]
    matches(row["params"], example.params)
    assert (example.result is UNSET) == (row["result"] is None)
    if example.result is not UNSET:
        matches(row["result"], json.loads(encode(example.result)))
