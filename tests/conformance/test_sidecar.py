"""The sidecar passes all checks, and answers as in the transcripts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from flyte_sidecar.conformance import transcripts
from flyte_sidecar.conformance.checks import CHECKS
from flyte_sidecar.conformance.run import Run
from flyte_sidecar.conformance.target import Call, Framing, Target
from flyte_sidecar.conformance.transcripts import transcript_checks
from tests.conformance.test_checks import SERVER
from tests.conftest import TEST_TIMEOUT

SIDECAR = (sys.executable, "-m", "flyte_sidecar", "--store", "{folder}/events.db")

OF_FRAMING = ("stream", "lines", "headers", "output")
"""Groups whose checks depend on the framing."""


def sidecar(framing: Framing, **more: object) -> Target:
    return Target(
        command=SIDECAR,
        framing=framing,
        call=Call("sidecar.status", "{}"),
        invalid=Call("events.get", '{"runName":1}'),
        slow=Call("events.wait", '{"runName":"r","name":"n","awaitCreation":true}'),
        timeout=TEST_TIMEOUT,
        settle_time=0.05,
        **more,
    )


@pytest.mark.parametrize("framing", ["line", "header"])
def test_the_sidecar_passes_all_checks(framing: Framing) -> None:
    checks = [check for check in CHECKS if framing == "line" or check.group in OF_FRAMING]
    results = [*Run(sidecar(framing)).results(checks)]
    assert [result for result in results if result.outcome not in ("pass", "skip")] == []
    skipped = {result.check for result in results if result.outcome == "skip"}
    assert all(name.startswith("lsp/") for name in skipped)


def test_the_sidecar_passes_the_checks_of_language_servers() -> None:
    checks = [check for check in CHECKS if check.group == "lsp"]
    results = [*Run(sidecar("header", is_lsp=True)).results(checks)]
    assert [result for result in results if result.outcome != "pass"] == []


def test_the_sidecar_answers_as_in_the_transcripts() -> None:
    names = ("sidecar/signal", "sidecar/pages")
    checks = [check for check in transcript_checks() if check.id in names]
    results = [*Run(sidecar("line")).results(checks)]
    assert [result.outcome for result in results] == ["pass", "pass"], results


def test_another_answer_than_in_the_transcript_is_found() -> None:
    [check] = [check for check in transcript_checks() if check.id == "sidecar/signal"]
    command = [sys.executable, "-I", "-S", str(SERVER), "line"]
    target = Target(command=command, framing="line", timeout=TEST_TIMEOUT, settle_time=0.05)
    [result] = Run(target, repeats=False).results([check])
    assert (result.outcome, result.detail) == ("fail", "/ has no member 'result'")


@pytest.mark.parametrize(
    ("recorded", "instead", "detail"),
    [
        (r'"SUCCEEDED"', '"2026-01-02T03:04:05Z"', "which is no timestamp in UTC"),
        (r"[^\n]*\n\Z", "", "a message too many: "),
    ],
)
def test_each_difference_from_a_transcript_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: str, instead: str, detail: str
) -> None:
    text = (transcripts.TRANSCRIPTS / "signal.jsonl").read_text()
    (tmp_path / "signal.jsonl").write_text(re.sub(recorded, instead, text))
    monkeypatch.setattr(transcripts, "TRANSCRIPTS", tmp_path)
    [result] = Run(sidecar("line"), repeats=False).results(transcript_checks())
    assert result.outcome == "fail"
    assert detail in result.detail
