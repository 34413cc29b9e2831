"""Arguments that are invalid, and operands that look like options."""

from __future__ import annotations

import pytest

from flyte_sidecar.cli.arguments.parser import HELP_WIDTH, parse
from flyte_sidecar.cli.arguments.verb_table import VERBS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("pendign", "flyte-sidecar: error: unknown verb 'pendign'; did you mean 'pending'?"),
        ("zzz", "flyte-sidecar: error: unknown verb 'zzz'; see flyte-sidecar --help"),
        ("--store s wach", "flyte-sidecar: error: unknown verb 'wach'; did you mean 'watch'?"),
        (
            "pending --jsno",
            "flyte-sidecar pending: error: unknown option '--jsno'; did you mean '--json'?",
        ),
        (
            "--bakend=flyte pending",
            "flyte-sidecar: error: unknown option '--bakend'; did you mean '--backend'?",
        ),
        (
            "--bakend flyte pending",
            "flyte-sidecar: error: unknown option '--bakend'; did you mean '--backend'?",
        ),
        (
            "pending --js",
            "flyte-sidecar pending: error: unknown option '--js'; did you mean '--json'?",
        ),
        ("watch r1 --in", "flyte-sidecar watch: error: unknown option '--in'"),
        ("watch r1 --zzz", "flyte-sidecar watch: error: unknown option '--zzz'"),
        ("watch r1 r2", "flyte-sidecar watch: error: unexpected argument 'r2'"),
        ("watch -- --json r2", "flyte-sidecar watch: error: unexpected argument 'r2'"),
        ("watch r1 \x1b[2J", r"flyte-sidecar watch: error: unexpected argument '\x1b[2J'"),
    ],
)
def test_an_unknown_argument_is_named_in_one_line_with_the_most_similar_known_one(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments.split(" "))
    assert ended.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: flyte-sidecar ")
    assert error == message


@pytest.mark.parametrize("arguments", ["--json -- -x", "-- -x", "--json -5", "-5 --json"])
def test_an_operand_may_begin_with_a_dash(arguments: str) -> None:
    verb, _, values = parse(["watch", *arguments.split(" ")])
    operand = "-5" if "-5" in arguments else "-x"
    assert (verb, values["run_name"]) == ("watch", operand)
    assert values["as_json"] == ("--json" in arguments)


@pytest.mark.parametrize("arguments", ["-- r n --", "r n -- --", "r -- n --", "r n --json -- --"])
def test_dashes_after_dashes_are_a_value(arguments: str) -> None:
    _, _, values = parse(["signal", *arguments.split(" ")])
    assert (values["run_name"], values["name"], values["value"]) == ("r", "n", "--")


def test_dashes_at_the_end_are_no_operand() -> None:
    assert parse(["watch", "--"])[2]["run_name"] is None
    assert parse(["signal", "r", "n", "--"])[2]["value"] is None


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_the_help_fits_a_terminal_and_names_usage_and_options(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*verb.split(), "--help"])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"usage: flyte-sidecar {verb or '[VERB]'} ")
    assert "  --log-file PATH       log file (default: stderr)" in lines
    assert [line for line in lines if len(line) > HELP_WIDTH] == []
