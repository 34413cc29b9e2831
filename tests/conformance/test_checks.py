"""Each check finds the fault that it is about, and finds none in a server that has no fault."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from flyte_sidecar.conformance.check import Check, Result
from flyte_sidecar.conformance.checks import CHECKS, headers, limits
from flyte_sidecar.conformance.run import Run
from flyte_sidecar.conformance.target import Call, Framing, Target
from tests.conftest import TEST_TIMEOUT

SERVER = Path(__file__).parent / "sample_server.py"

SHORT_TIMEOUT = 0.5
"""Seconds after which a server that hangs has failed."""

OF_METHODS = {
    "call": Call("echo", "{}"),
    "invalid": Call("echo", '{"bad":1}'),
    "slow": Call("slow", "{}"),
}

_NAMES = {
    "requests": [
        *("result", "unknown-method", "invalid-params", "parse-error", "invalid-method"),
        *("not-an-object", "empty-object", "missing-method", "wrong-version", "missing-version"),
        *("scalar-params", "case", "member-order", "escapes", "unknown-member", "pipelined"),
        *("response", "duplicate-member", "surrogate"),
    ],
    "ids": ["wrong-type", "duplicate"],
    "stream": ["invalid-utf-8", "byte-order-mark", "white-space"],
    "batches": ["requests", "one", "mixed", "invalid-one", "invalid", "invalid-between", "nested"],
    "lines": ["crlf", "blank", "other-line-ends", "no-line-end", "two-in-a-line"],
    "cancellation": ["code", "at-once", "unknown-id"],
    "limits": ["large-message", "nesting", "unclosed", "long-method", "numbers"],
    "end": ["answers", "status", "file"],
}
IN_LINES = {fault: f"{name}/{fault}" for name, faults in _NAMES.items() for fault in faults}
"""Faults that have the name of the only check of the group that finds them."""

OTHERS = {
    'id="a"': "ids/string",
    "id=1": "ids/integer",
    "id=0": "ids/zero",
    "id=-1": "ids/negative",
    'id=""': "ids/empty-string",
    'id="\\u00e9 \\u5927 \\ud83d\\ude00 \\" \\\\ \\u0001"': "ids/unicode",
    f'id="{"x" * 1000}"': "ids/long-string",
    f"id={2**53 - 1}": "ids/53-bits",
    f"id={2**53 + 1}": "ids/large-integer",
    "id=1.5": "ids/fraction",
    "id=null": "ids/null",
    "id=7": "ids/distinct-types",
    "notified-unknown": "notifications/unknown-method",
    "notified-known": "notifications/known-method",
    "notified-invalid": "notifications/invalid-params",
    "many": "notifications/many",
    "empty-batch": "batches/empty",
    "notifications": "batches/notifications",
    "not-json": "batches/not-json",
    "large-batch": "batches/large",
    "cancel-all": "cancellation/other",
}
"""The only check of its group that finds a fault."""

ALONE = {
    "cancelled-twice": "cancellation/response",
    "idle": "limits/idle",
    "waiting": "cancellation/waiting",
    "many-in-one-write": "stream/many-in-one-write",
    "single-bytes": "stream/single-bytes",
    "back-pressure": "limits/back-pressure",
    "exit": "end/exit",
    "no-input": "end/no-input",
    "partial-message": "end/partial-message",
    "waiting-request": "end/waiting-request",
    "closed-output": "end/closed-output",
}
"""Faults that other checks of the group find too, or that a check finds by a timeout."""

IN_HEADERS = {
    "case": "headers/case",
    "space": "headers/space",
    "content-type": "headers/content-type",
    "utf8": "headers/utf8",
    "other-charset": "headers/other-charset",
    "unknown-header": "headers/unknown-header",
    "empty-message": "headers/empty-message",
    "missing-length": "headers/missing-length",
    "negative-length": "headers/negative-length",
    "no-number": "headers/no-number",
    "two-lengths": "headers/two-lengths",
    "huge-length": "headers/huge-length",
    "characters": "stream/utf-8",
}

OF_LSP = [
    *("dollar-request", "dollar-notification", "initialize-twice", "after-shutdown"),
    *("exit", "exit-only"),
]


def target(framing: Framing, *fault: str, timeout: float = TEST_TIMEOUT, **more: object) -> Target:
    command = [sys.executable, "-I", "-S", str(SERVER), framing, *fault]
    values = {**OF_METHODS, "settle_time": 0.05, **more}
    return Target(command=command, framing=framing, timeout=timeout, **values)


def group(name: str) -> list[Check]:
    return [check for check in CHECKS if check.group == name]


def failed(tested: Target, checks: Iterable[Check]) -> set[str]:
    results = Run(tested, repeats=False).results(checks)
    return {result.check for result in results if result.outcome in ("fail", "warn")}


def check(name: str) -> list[Check]:
    return [check for check in CHECKS if check.id == name]


@pytest.mark.parametrize("framing", ["line", "header"])
def test_a_server_without_faults_passes_all_checks(framing: Framing) -> None:
    results: list[Result] = [*Run(target(framing)).results(CHECKS)]
    assert [result for result in results if result.outcome not in ("pass", "skip")] == []
    skipped = {result.check for result in results if result.outcome == "skip"}
    assert skipped == {check.id for check in group("lsp")}


def test_a_language_server_without_faults_passes_all_checks() -> None:
    results = [*Run(target("header", is_lsp=True)).results([*group("batches"), *group("lsp")])]
    assert {result.outcome for result in results} == {"pass", "n/a"}


@pytest.mark.parametrize(("fault", "name"), {**IN_LINES, **OTHERS}.items(), ids=str)
def test_a_fault_is_found_by_one_check_of_its_group(fault: str, name: str) -> None:
    assert failed(target("line", fault), group(name.partition("/")[0])) == {name}


@pytest.mark.parametrize(("fault", "name"), ALONE.items())
def test_a_fault_that_affects_many_requests_is_found(
    fault: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_IDLE_CPU", 0.01)  # a loaded machine leaves little
    assert failed(target("line", fault, timeout=SHORT_TIMEOUT), check(name)) == {name}


@pytest.mark.parametrize(("fault", "name"), IN_HEADERS.items())
def test_a_fault_of_headers_is_found(
    fault: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(headers, "MAX_GROWTH", 20 << 20)
    monkeypatch.setattr(headers, "GROWTH_TIME", TEST_TIMEOUT)
    assert failed(target("header", fault, timeout=SHORT_TIMEOUT), check(name)) == {name}


@pytest.mark.parametrize("fault", OF_LSP)
def test_a_fault_of_a_language_server_is_found_by_one_check(fault: str) -> None:
    assert failed(target("header", fault, is_lsp=True), group("lsp")) == {f"lsp/{fault}"}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("only-messages", "output/only-messages"),
        ("form", "output/form"),
        ("extra", "output/one-response-each"),
    ],
)
@pytest.mark.parametrize("framing", ["line", "header"])
def test_what_is_wrong_with_any_output_is_found(framing: Framing, fault: str, name: str) -> None:
    checks = [*check("requests/result"), *check("requests/unknown-method"), *group("output")]
    assert name in failed(target(framing, fault), checks)


def test_an_invalid_id_that_is_returned_is_one_failure() -> None:
    checks = [*check("ids/wrong-type"), *group("output")]
    assert failed(target("line", "wrong-type"), checks) == {"ids/wrong-type"}


def test_every_check_is_tested() -> None:
    of_output = {check.id for check in group("output")}
    of_lsp = {check.id for check in group("lsp")}
    faulty = [*IN_LINES.values(), *OTHERS.values(), *ALONE.values(), *IN_HEADERS.values()]
    assert {check.id for check in CHECKS} == of_output | of_lsp | {*faulty}
    assert len(faulty) == len({*faulty})


def test_a_failure_that_does_not_occur_again_is_a_warning(tmp_path: Path) -> None:
    marker = tmp_path / "started"
    script = (
        f"import os, sys, runpy; first = not os.path.exists({str(marker)!r});"
        f" open({str(marker)!r}, 'w').close();"
        f" sys.argv = ['', 'line', *(['result'] if first else [])];"
        f" runpy.run_path({str(SERVER)!r}, run_name='__main__')"
    )
    tested = replace(target("line"), command=[sys.executable, "-I", "-S", "-c", script])
    [result] = Run(tested).results(check("requests/result"))
    assert result.outcome == "warn"
    assert result.detail.startswith("failed once, and passed when it was repeated: ")
