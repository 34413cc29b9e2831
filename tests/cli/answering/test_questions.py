"""The rows of questions, as an emulated terminal has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_sidecar.cli.answering.questions import AnswerQuestion, ChoiceQuestion
from flyte_sidecar.errors import PayloadTypeMismatch
from flyte_sidecar.events.model import Event
from flyte_sidecar.local_runs.terminal import Question, Size

SIZES = st.builds(Size, columns=st.integers(12, 100), rows=st.just(24))
TEXTS = st.text(st.sampled_from("\x1b[2J\x07\x9b\u202e\u2028\r\n\t *-`高い👍 word"), max_size=200)
TYPES = st.sampled_from(["bool", "int", "float", "str", None])


def event(**members: Any) -> Event:
    given = {"run_name": "r1", "name": "n", "project": "p", "domain": "d", **members}
    given["created_at"] = datetime.now(UTC) - timedelta(minutes=5)
    return Event(**{name: given.get(name) for name in Event.__struct_fields__})


EVENTS = st.builds(
    event,
    run_name=TEXTS,
    name=TEXTS,
    expected_type=TYPES,
    prompt=TEXTS,
    prompt_type=st.sampled_from(["text", "markdown"]),
    description=TEXTS,
)
QUESTIONS: st.SearchStrategy[Question] = st.builds(AnswerQuestion, EVENTS) | st.builds(
    ChoiceQuestion, events=st.lists(EVENTS, min_size=1, max_size=3), has_more=st.booleans()
)


@settings(max_examples=40)
@given(question=QUESTIONS, size=SIZES, line=TEXTS)
def test_a_question_takes_the_rows_that_it_reports(
    question: Question, size: Size, line: str
) -> None:
    for shown in (
        question.render(size, styled=True),
        question.render_again(size, line, styled=True),
    ):
        screen = pyte.Screen(size.columns, 300)
        pyte.Stream(screen).feed("\r\n" + shown.text.replace("\n", "\r\n"))
        assert (screen.cursor.y, screen.cursor.x) == (shown.rows, shown.last_columns)
        assert "".join(screen.display).rstrip().endswith(":")


@pytest.mark.parametrize(
    ("expected_type", "line", "value"),
    [
        ("bool", "Y\n", True),
        ("int", " -7\n", -7),
        ("float", "1e3\n", 1000.0),
        ("str", " two words \n", "two words"),
        (None, "[1]\n", None),
        (None, '"text"\n', "text"),
        ("str", "\n", None),
        ("str", "\udcff\n", None),
        ("bool", "1\n", None),
    ],
)
def test_a_line_is_an_answer_if_it_has_the_type(expected_type: Any, line: str, value: Any) -> None:
    question = AnswerQuestion(event(expected_type=expected_type))
    if value is not None:
        assert question.parse(line) == value
    else:
        with pytest.raises(PayloadTypeMismatch):
            question.parse(line)
