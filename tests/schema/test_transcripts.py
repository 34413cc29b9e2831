"""schemas/transcripts/ is what a real sidecar says, and what a client of it meets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar import schema
from flyte_sidecar.protocol.methods import METHODS, NOTIFICATIONS
from tests.conftest import ROOT
from tests.schema.conftest import Fits
from tests.transcript_recorder.recording import record
from tests.transcript_recorder.scenes import SCENES

FOLDER = ROOT / "schemas" / "transcripts"


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def methods_of(who: str) -> set[str]:
    """Give the methods of all messages that the client, or the sidecar, sends."""
    messages = (line[who] for name in SCENES for line in lines(name) if who in line)
    return {message["method"] for message in messages if "method" in message}


def test_every_scene_has_a_transcript_and_every_transcript_a_scene() -> None:
    assert {path.stem for path in FOLDER.glob("*.jsonl")} == set(SCENES)


@pytest.mark.parametrize("name", SCENES)
def test_a_transcript_is_what_a_real_sidecar_says_today(name: str, store: Path) -> None:
    assert record(name, store) == (FOLDER / f"{name}.jsonl").read_text(), "run `make generate`"


def test_the_transcripts_show_all_methods_but_that_which_gives_the_document() -> None:
    assert {method.name for method in METHODS} - methods_of("client") == {"rpc.discover"}


def test_the_transcripts_show_all_notifications_that_the_embedded_store_leads_to() -> None:
    of_a_lost_backend = {"events.disconnected", "events.resynced"}
    assert {one.name for one in NOTIFICATIONS} - methods_of("sidecar") == of_a_lost_backend


@pytest.mark.parametrize("name", SCENES)
def test_every_request_of_a_transcript_is_answered_once(name: str) -> None:
    asked = [line["client"]["id"] for line in lines(name) if "id" in line.get("client", {})]
    answered = [line["sidecar"]["id"] for line in lines(name) if "id" in line.get("sidecar", {})]
    assert sorted(answered) == sorted(asked) == sorted(set(asked))


@pytest.mark.parametrize("name", SCENES)
def test_everything_in_a_transcript_fits_the_schemas(name: str, fits: Fits) -> None:
    table = {method["name"]: method for method in schema.method_table()["methods"]}
    notifications = {one["name"]: one for one in schema.method_table()["notifications"]}
    asked: dict[Any, str] = {}
    refused = {"events.approve", 9}  # no such method; a limit out of range
    for line in lines(name)[1:]:
        [(who, message)] = line.items()
        if who == "client":
            asked[message.get("id")] = message["method"]
            if name != "refusals" or not refused & {message["method"], message.get("id")}:
                fits(table[message["method"]]["params"], message.get("params", {}))
        elif "method" in message:
            fits(notifications[message["method"]]["params"], message["params"])
        elif "error" in message:
            fits({"$ref": "#/$defs/Error"}, message["error"])
        else:
            fits(table[asked[message["id"]]]["result"], message["result"])
