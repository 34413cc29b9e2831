"""The examples in the schemas are what a real sidecar answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from flyte_sidecar import schema
from flyte_sidecar.protocol.methods import METHODS, Method
from flyte_sidecar.protocol.results import encode
from flyte_sidecar.schema.examples import THRESHOLD, examples
from tests.e2e.process import Process
from tests.schema.conftest import Fits
from tests.transcript_recorder.normal import normal

STORY = examples()
UNPLAYED = {"$/cancelRequest", "rpc.discover"}
"""Nothing in the story is there to be cancelled; the document is shortened."""


@pytest.fixture
def sidecar(store: Path) -> Iterator[Process]:
    process = Process(store)
    yield process
    process.clear()


def test_every_method_has_an_example() -> None:
    assert set(STORY) == {method.name for method in METHODS}


def test_the_story_of_the_examples_is_true(sidecar: Process) -> None:
    told: dict[str, Any] = {}

    def until(name: str) -> None:
        while name not in told:
            answer = sidecar.answer()
            told[answer.get("id") or answer["method"]] = answer.get("result", "no result")

    for method, example in STORY.items():
        if method == "events.abort":
            sidecar.ask("withdrawn", "events.create", **_withdrawn())
            until("withdrawn")
        if method in UNPLAYED:
            continue
        if example.result is UNSET:
            sidecar.send({"jsonrpc": "2.0", "method": method, "params": example.params})
            continue
        sidecar.ask(method, method, **example.params)
        until("events.synced" if method == "events.watch" else method)
    assert sidecar.status() == 0
    expected = {
        method: json.loads(encode(example.result))
        for method, example in STORY.items()
        if example.result is not UNSET and method not in UNPLAYED
    }
    assert _comparable(told, expected) == _comparable(expected, expected)


def _withdrawn() -> dict[str, Any]:
    return {
        "runName": THRESHOLD.run_name,
        "name": THRESHOLD.name,
        "prompt": THRESHOLD.prompt,
        "expectedType": THRESHOLD.expected_type,
    }


def _comparable(results: dict[str, Any], methods: Iterable[str]) -> Any:
    text = json.dumps([results[method] for method in methods], separators=(",", ":"))
    return json.loads(normal(text))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_an_example_fits_the_schemas(method: Method, fits: Fits) -> None:
    example = STORY[method.name]
    [row] = [row for row in schema.method_table()["methods"] if row["name"] == method.name]
    fits(row["params"], example.params)
    assert (example.result is UNSET) == (row["result"] is None)
    if example.result is not UNSET:
        fits(row["result"], json.loads(encode(example.result)))
