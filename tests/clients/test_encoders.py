"""Payloads as the JSON encoders of other languages write them, without a client."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import BUILD_SECONDS, GO, NODE
from tests.conftest import needs, run

pytestmark = pytest.mark.timeout(BUILD_SECONDS)

Command = Sequence[str | Path]

# Each program reads lines of JSON and writes each with the encoder of its language.
NODE_PROGRAM = """
const lines = fs.readFileSync(0, "utf8").trimEnd().split("\\n");
for (const line of lines) console.log(JSON.stringify(JSON.parse(line)));
"""
GO_PROGRAM = """
package main

import (
	"encoding/json"
	"io"
	"os"
)

func main() {
	for in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout); ; {
		var message any
		if err := in.Decode(&message); err == io.EOF {
			return
		}
		if err := out.Encode(message); err != nil {
			panic(err)
		}
	}
}
"""
PYTHON_PROGRAM = """
import json, sys
for line in sys.stdin:
    print(json.dumps(json.loads(line)))
"""


def node(_: Path) -> Command:
    return [needs("node", NODE), "-e", NODE_PROGRAM]


def go(folder: Path) -> Command:
    (folder / "encode.go").write_text(GO_PROGRAM)
    return [needs("go", GO), "run", folder / "encode.go"]


def jq(_: Path) -> Command:
    return [needs("jq"), "-c", "."]


def python(_: Path) -> Command:
    return [sys.executable, "-c", PYTHON_PROGRAM]


FLOATS = [
    *(0.0, -0.0, 3.0, 0.1, -2.5, 5e-324, sys.float_info.max),
    *(2.0**53 - 1, 2.0**53, 2.0**53 + 2, 2.0**60, -(2.0**60), 2.0**63, -(2.0**63), 2.0**64),
    *(1e15, 1e16, 123456789012345680.0, 1e20, 999999999999999868928.0, 1e21, -1e22, 1e300),
]
INTS = [0, -3, 2**31, 2**53 - 1, -(2**53 - 1), str(2**53), str(2**63 - 1), str(-(2**63))]


@pytest.mark.parametrize("encoder", [node, go, jq, python])
def test_numbers_of_a_plain_encoder_are_accepted_unchanged(
    encoder: Callable[[Path], Command], command: dict[str, str], tmp_path: Path
) -> None:
    answers: list[tuple[str, Any]] = [("float", value) for value in FLOATS]
    answers += [("int", value) for value in INTS]
    requests = []
    for number, (expected_type, payload) in enumerate(answers):
        target = {"runName": "r1", "name": f"e{number}"}
        requests += [
            ("events.create", {**target, "expectedType": expected_type}),
            ("events.signal", {**target, "payload": payload}),
        ]
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        for number, (method, params) in enumerate(requests)
    ]
    encoded = run(*encoder(tmp_path), env=command, input="\n".join(lines))
    assert (encoded.returncode, encoded.stderr) == (0, "")
    served = run("flyte-sidecar", env=command, input=encoded.stdout)
    responses = {reply["id"]: reply for reply in map(json.loads, served.stdout.splitlines())}
    # The encoder's output, decoded as other JSON readers do.
    payloads = [
        json.loads(line, parse_int=float)["params"].get("payload")
        for line in encoded.stdout.splitlines()
    ]
    for number, (expected_type, payload) in enumerate(answers):
        response = responses[2 * number + 1]
        assert "result" in response, (payload, response)
        answered = response["result"]["payload"]
        if expected_type == "float":
            assert payload == payloads[2 * number + 1]
            assert bits(answered) == bits(payloads[2 * number + 1])
        else:
            assert answered == payload
            assert type(answered) is type(payload)


def bits(value: float) -> bytes:
    """Return the bits of a double; they distinguish -0.0 from 0.0."""
    assert isinstance(value, float)
    return struct.pack(">d", value)
