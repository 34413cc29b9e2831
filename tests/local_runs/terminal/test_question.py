"""The rows of questions, as an emulated terminal has them."""

from __future__ import annotations

from operator import mul

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.events.model import ExpectedType
from flyte_sidecar.local_runs.terminal.condition_question import ConditionQuestion
from flyte_sidecar.local_runs.terminal.question import echoed_rows
from flyte_sidecar.local_runs.terminal.terminal_device import Size

SIZES = st.builds(Size, columns=st.integers(10, 120), rows=st.integers(8, 60))
HOSTILE = "\x1b[2J\x1b[31m\x07\x00\x7f\x9b1A\u202e\u2028\r\n\n\t\v [bold]:+1:高い塔👍 word"
TEXTS = st.builds(mul, st.text(st.sampled_from(HOSTILE), max_size=60), st.sampled_from([1, 2, 200]))
TYPES: list[ExpectedType] = ["bool", "int", "float", "str"]


@given(size=SIZES, name=TEXTS, prompt=TEXTS, description=TEXTS, expected=st.sampled_from(TYPES))
def test_a_question_fits_on_the_screen(
    size: Size, name: str, prompt: str, description: str, expected: ExpectedType
) -> None:
    question = ConditionQuestion("r", name, "a", expected, prompt, "text", description)
    for rendered in (
        question.render(size, styled=True),
        question.render_again(size, "x", styled=True),
    ):
        screen = pyte.HistoryScreen(size.columns, size.rows)
        pyte.Stream(screen).feed("\r\n" + rendered.text.replace("\n", "\r\n"))
        assert not screen.history.top
        assert (screen.cursor.y, screen.cursor.x) == (rendered.rows, rendered.last_columns)
        assert "".join(screen.display).rstrip().endswith(":")


@given(
    columns=st.integers(10, 80),
    column=st.integers(0, 10),
    typed=st.text(st.sampled_from("abcdef\t\n\x01\x7f"), max_size=300),
)
def test_rows_of_typed_text_are_counted(columns: int, column: int, typed: str) -> None:
    screen = pyte.Screen(columns, 400)
    echo = typed.replace("\n", "\r\n").replace("\x01", "^A").replace("\x7f", "^?")
    pyte.Stream(screen).feed("x" * column + echo)
    assert echoed_rows(column, typed, columns) == screen.cursor.y


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("高い塔の下", 2),  # two in each row
        ("👍🏽" * 2, 0),  # a terminal may show each as one character
        ("👍🏽" * 3, 1),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467" * 2, 0),
        ("e\u0301" * 5, 0),
    ],
)
def test_wide_characters_and_clusters_are_counted(typed: str, rows: int) -> None:
    assert echoed_rows(0, typed, 5) == rows
