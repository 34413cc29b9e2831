from __future__ import annotations

import pytest

from flyte_sidecar.cli.completion.command_line import bash_replies, last_command
from flyte_sidecar.cli.completion.given import Given, parse_given

BREAKS = " \t\n\"'><=;|&(:"
"""Bash's default COMP_WORDBREAKS."""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("watch", ["watch"]),
        ("watch ", ["watch", ""]),
        (r"watch  a\ b", ["watch", "a b"]),
        ("watch 'a b' \"c", ["watch", "a b", "c"]),
        (r'watch "a\"b\c', ["watch", 'a"b\\c']),
        ("watch 'a\\' b", ["watch", "a\\", "b"]),
        ("watch a\\", ["watch", "a"]),
        ("echo 'x | y' | watch r", ["watch", "r"]),
        ("x && y; $(watch r", ["watch", "r"]),
        ("watch $(rm)", ["rm)"]),
    ],
)
def test_the_words_of_the_last_command_are_those_of_the_shell(line: str, words: list[str]) -> None:
    assert [word.text for word in last_command(line)] == words


@pytest.mark.parametrize(
    ("typed", "value", "reply"),
    [
        ("", "a b", r"a\ b"),
        ("a", "a:b", "a:b"),
        ("a:", "a:b", "b"),
        ("a:b", "a:b:c d", r"b:c\ d"),
        (r"a\:", "a:b", "a:b"),
        (r"a\ ", "a b", r"a\ b"),
        ('"a:', 'a:b "c" $x', r"a:b \"c\" \$x"),
        ("'a:", 'a:b "c" $x', 'a:b "c" $x'),
        ('--action="a', "a b", "a b"),
        ("", "$(rm) `rm` !! ~", r"\$\(rm\)\ \`rm\`\ \!\!\ \~"),
        ("", "ü.é-1_2", "ü.é-1_2"),
    ],
)
def test_bash_replaces_a_part_of_the_word_by_quoted_text(
    typed: str, value: str, reply: str
) -> None:
    word = last_command(f"signal {typed}", BREAKS)[-1]
    if typed.startswith("--action="):
        value = f"--action={value}"
    assert bash_replies([value], word) == [reply]


@pytest.mark.parametrize(("typed", "value"), [('"a', "a!b"), ("'a", "a'b"), ('"a"', "ab")])
def test_a_value_that_bash_could_not_quote_is_left_out(typed: str, value: str) -> None:
    assert bash_replies([value], last_command(f"signal {typed}", BREAKS)[-1]) == []


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("", Given(None, [], {})),
        ("watch r1", Given("watch", ["r1"], {})),
        (
            "--store s --org=o watch --json r1 n",
            Given("watch", ["r1", "n"], {"store": "s", "org": "o"}),
        ),
        ("--unknown x watch r1", Given("watch", ["r1"], {})),
        ("watch --project", Given("watch", [], {"project": ""})),
        ("watch -- --store", Given("watch", ["--store"], {})),
    ],
)
def test_the_arguments_before_the_cursor_may_be_incomplete(words: str, given: Given) -> None:
    assert parse_given(words.split()) == given
