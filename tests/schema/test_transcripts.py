"""The transcripts are what a real sidecar sends today, and match the schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar import schema
from flyte_sidecar.conformance.transcripts import TRANSCRIPTS
from flyte_sidecar.protocol.methods import METHODS, NOTIFICATIONS
from tests.schema.conftest import Matches
from tests.transcript_recorder.conversations import CONVERSATIONS
from tests.transcript_recorder.recording import record


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TRANSCRIPTS / f"{name}.jsonl").read_text().splitlines()]


def methods_of(who: str) -> set[str]:
    """Return the methods of all messages of the client, or of the sidecar."""
    messages = (line[who] for name in CONVERSATIONS for line in lines(name) if who in line)
    return {message["method"] for message in messages if "method" in message}


def test_every_conversation_has_a_transcript_and_vice_versa() -> None:
    assert {path.stem for path in TRANSCRIPTS.glob("*.jsonl")} == set(CONVERSATIONS)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_transcript_is_what_a_real_sidecar_sends_today(name: str, store: Path) -> None:
    assert record(name, store) == (TRANSCRIPTS / f"{name}.jsonl").read_text(), "run `make generate`"


def test_the_transcripts_contain_all_methods_except_rpc_discover() -> None:
    assert {method.name for method in METHODS} - methods_of("client") == {"rpc.discover"}


def test_the_transcripts_contain_all_notifications_of_the_embedded_store() -> None:
    of_flyte = {"events.disconnected", "events.resynced"}  # of a disconnect
    of_flyte |= {"sidecar.authRequired", "sidecar.authEnded"}
    assert {row.name for row in NOTIFICATIONS} - methods_of("sidecar") == of_flyte


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_every_request_of_a_transcript_is_answered_once(name: str) -> None:
    requested = [line["client"]["id"] for line in lines(name) if "id" in line.get("client", {})]
    answered = [line["sidecar"]["id"] for line in lines(name) if "id" in line.get("sidecar", {})]
    assert sorted(answered) == sorted(requested) == sorted(set(requested))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_every_message_of_a_transcript_matches_the_schemas(name: str, matches: Matches) -> None:
    table = {method["name"]: method for method in schema.method_table()["methods"]}
    notifications = {row["name"]: row for row in schema.method_table()["notifications"]}
    methods: dict[Any, str] = {}
    invalid = {"events.approve", 9}  # no such method; a limit out of range
    for line in lines(name)[1:]:
        [(who, message)] = line.items()
        if who == "client":
            methods[message.get("id")] = message["method"]
            if name != "errors" or not invalid & {message["method"], message.get("id")}:
                matches(table[message["method"]]["params"], message.get("params", {}))
        elif "method" in message:
            matches(notifications[message["method"]]["params"], message["params"])
        elif "error" in message:
            matches({"$ref": "#/$defs/Error"}, message["error"])
        else:
            matches(table[methods[message["id"]]]["result"], message["result"])
