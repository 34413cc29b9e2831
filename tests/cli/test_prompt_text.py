"""Prompts and descriptions as lines for a terminal: nothing in them is more than text."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from flyte_sidecar.cli.prompt_text import MAX_LENGTH, MAX_LINES, prompt_lines, text_lines
from flyte_sidecar.cli.table import Column, Table
from flyte_sidecar.events.model import Event
from flyte_sidecar.events.plain_text import is_safe

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def event(**members: Any) -> Event:
    given = {"prompt": "Deploy?", "prompt_type": "text", "description": None, **members}
    return Event(**{name: given.get(name) for name in Event.__struct_fields__})


def markdown(text: str, columns: int = 60) -> list[str]:
    lines = text_lines(text, "markdown", columns, styled=False)
    styled = text_lines(text, "markdown", columns, styled=True)
    assert [COLOURS.sub("", line).rstrip() for line in styled] == lines
    return lines


def test_the_lines_of_a_text_are_kept_and_long_ones_are_wrapped() -> None:
    lines = text_lines("Which rate?\r\n\tof *1*\nand " + "more " * 5, "text", 20, styled=False)
    assert lines == ["Which rate?", "    of *1*", "and more more more", "more more"]


@pytest.mark.parametrize("text_type", ["text", "markdown"])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_lines_fit_a_terminal_that_cannot_show_all_characters(
    monkeypatch: pytest.MonkeyPatch, text_type: Any, encoding: str
) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding))
    text = "- *Größe* &eacute; 日本 e\u0301\U0001f600\n" * 3
    lines = text_lines(text, text_type, 20, styled=False)
    lines += Table([Column("PROMPT", is_text=True)], width=20).lines([[text.strip()]], more=False)
    assert all(len(line.encode(encoding, "backslashreplace")) <= 20 for line in lines), lines
    assert "\\u65e5" in "".join(lines)


def test_the_description_follows_the_prompt() -> None:
    assert prompt_lines(event(description="All\nof it"), 60, styled=False) == [
        *("Deploy?", ""),
        *("All", "of it"),
    ]
    assert prompt_lines(event(prompt=None, description="it"), 60, styled=False) == ["it"]
    assert prompt_lines(event(prompt=" \n"), 60, styled=False) == []


def test_markdown_is_rendered() -> None:
    text = (
        "# Deploy *it*\n\nThe `model`\nis **good**  \nnow.\n\n1. one\n2. two\n\n```py\na  = 1\n```"
    )
    assert markdown(text) == [
        *("Deploy it", ""),
        *("The model is good", "now.", ""),
        *(" 1 one", " 2 two", ""),
        "    a  = 1",
    ]
    table = markdown("| a | b |\n|---|---|\n| 1 | 2 |")
    assert [line.split() for line in table if not {*line} & {*"─━"}] == [["a", "b"], ["1", "2"]]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("[the report](https://x.y/z)", ["the report (https://x.y/z)"]),
        ("<https://x.y>", ["https://x.y"]),
        ("![a chart](https://x.y/z) first", ["image: a chart (https://x.y/z) first"]),
        ("[![a](i.png)](/b)", ["image: a (i.png) (/b)"]),
        ("a <!-- hidden --> <b>c</b>", ["a <!-- hidden --> <b>c</b>"]),
        ("<div>\n\nblock\n\n</div>", ["<div>", "", "block", "", "</div>"]),
        ("[a]: https://x.y", ["[a]: https://x.y"]),
        ("```" + "x" * 40, ["```" + "x" * 40]),
    ],
)
def test_markdown_hides_nothing(text: str, lines: list[str]) -> None:
    assert markdown(text) == lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("&#27;&#x9b;2J", "\ufffd\ufffd2J"),
        ("&#x202e;&#8294;", r"\u202e\u2066"),
        ("&#13;&#8232;", r"\r\u2028"),
        ("<http://x/%1b[2J>", r"http://x/\x1b[2J (http://x/%1b%5B2J)"),
        ("[\u202ea](<http://x>)", r"\u202ea (http://x)"),
        ("`\x1b[2J`", r"\x1b[2J"),
        ("    \x9b2J", r"    \x9b2J"),
    ],
)
def test_unsafe_characters_of_markdown_are_escaped(text: str, line: str) -> None:
    assert markdown(text)[0] == line


@pytest.mark.parametrize(
    "text",
    [
        "> " * 3000 + "deep",
        "- " * 3000 + "deep",
        "|a" * 100 + "|\n" + "|-" * 100 + "|\n" + "|b" * 100 + "|",
    ],
)
def test_markdown_that_does_not_fit_is_shown_as_it_was_written(text: str) -> None:
    assert markdown(text) == text_lines(text, "text", 60, styled=False)


@pytest.mark.parametrize("text_type", ["text", "markdown"])
def test_long_texts_are_cut(text_type: Any) -> None:
    lines = text_lines("x\n\n" * MAX_LENGTH, text_type, 60, styled=False)
    assert len(lines) == MAX_LINES + 1
    assert re.fullmatch(r"… \(\d+ more lines\)", lines[-1])
    lines = text_lines("[" * (MAX_LENGTH + 5), text_type, 80, styled=False)
    assert "".join(lines) == "[" * MAX_LENGTH + "… (5 more characters)"


PIECES = (
    *("*", "**", "`", "```", "[", "](", ")", "<", ">", "> ", "- ", "1. ", "|", "|-|\n", "#", "\n"),
    *(
        "&#27;",
        "&#x202e;",
        "\\",
        "~~",
        "![",
        "\x1b[2J",
        "\r",
        "\t",
        "色",
        "e\u0301",
        "\u202e",
        "a ",
    ),
)


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=60).map("".join),
    st.sampled_from(["text", "markdown"]),
    st.integers(10, 40),
    st.booleans(),
)
def test_no_text_leaves_its_lines(text: str, text_type: Any, columns: int, styled: bool) -> None:
    for line in text_lines(text, text_type, columns, styled=styled):
        plain = COLOURS.sub("", line) if styled else line
        assert all(map(is_safe, plain)), plain
        assert cell_len(plain) <= columns
