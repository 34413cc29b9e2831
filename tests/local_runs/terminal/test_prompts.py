"""Prompts at the terminal, as the person in front of it sees them."""

from __future__ import annotations

import pytest

from tests.local_runs.terminal.conftest import Start

APPROVE = "Approve? [y/n]:"


def test_a_question_looks_as_the_one_of_the_sdk(start: Start) -> None:
    program = start()
    assert program.call("has_terminal")
    program.call("print", "before")
    program.ask("deploy", description="To [bold]production[/bold]")
    shown = ["before", "", "Condition: deploy", "To [bold]production[/bold]"]
    program.shows(*shown, APPROVE)
    assert program.style("Condition:") == ("cyan", True)
    program.type("maybe\n")
    shown += [f"{APPROVE} maybe", "Please enter Y or N"]
    program.shows(*shown, APPROVE)
    assert program.style("Please enter") == ("red", False)
    program.type("y\n")
    assert program.call("answer", "deploy") == "True"
    program.shows(*shown, f"{APPROVE} y", "")
    assert program.call("is_intact")


@pytest.mark.parametrize(
    ("expected_type", "answers"),
    [
        ("bool", {"y": "True", "N": "False", " yes ": "True", "false": "False"}),
        ("int", {"7": "7", "-9223372036854775808": "-9223372036854775808"}),
        ("float", {"1e3": "1000.0", "nan": "nan", "-inf": "-inf", "-0": "-0.0"}),
        ("str", {"": "''", " größer ": "'größer'", "x" * 200: repr("x" * 200)}),
    ],
)
def test_answers_have_the_expected_type(
    start: Start, expected_type: str, answers: dict[str, str]
) -> None:
    program = start()
    for number, (typed, answer) in enumerate(answers.items()):
        program.ask(f"c{number}", expected_type)
        program.wait_for(f"Condition: c{number}\nApprove?")
        program.type(f"{typed}\n")
        assert program.call("answer", f"c{number}") == answer


@pytest.mark.parametrize(
    ("expected_type", "typed", "hint"),
    [
        ("bool", "", "Please enter Y or N"),
        ("int", "9223372036854775808", "Please enter a valid int"),
        ("int", "1.0", "Please enter a valid int"),
        ("float", "one", "Please enter a valid float"),
    ],
)
def test_an_answer_of_another_type_is_asked_for_again(
    start: Start, expected_type: str, typed: str, hint: str
) -> None:
    program = start()
    program.call("print", "before")
    program.ask("c", expected_type, "How?")
    prompt = "How? [y/n]:" if expected_type == "bool" else "How?:"
    program.shows("before", "", "Condition: c", prompt)
    program.type(f"{typed}\n")
    program.shows("before", "", "Condition: c", f"{prompt} {typed}".rstrip(), hint, prompt)
    program.call("close", "c", "answered elsewhere")
    program.shows("before", "", "answered elsewhere", "")


def test_text_that_is_not_in_the_encoding_of_the_terminal_is_asked_for_again(start: Start) -> None:
    program = start()
    program.ask("c", "str", "Why?")
    program.wait_for("Why?:")
    program.type(b"\xff\n")
    program.wait_for("Please enter a valid str")
    program.type("ok\n")
    assert program.call("answer", "c") == "'ok'"


def test_a_prompt_is_taken_back_with_what_was_typed(start: Start) -> None:
    program = start()
    program.call("print", "before")
    program.ask("c", "str", "Why?", "Two\nlines")
    program.shows("before", "", "Condition: c", "Two", "lines", "Why?:")
    program.type("because")
    program.shows("before", "", "Condition: c", "Two", "lines", "Why?: because")
    program.call("close_and_print", "c", "c was answered\nby \x1b[31mother", "the task goes on")
    shown = ["before", "", r"c was answered by \x1b[31mother", "the task goes on"]
    program.shows(*shown, "")
    assert program.call("answer", "c") == "closed"
    # What was typed is no answer to the next prompt either.
    program.ask("next", "str", "Why?")
    program.shows(*shown, "", "Condition: next", "Why?:")
    program.type("x\n")
    assert program.call("answer", "next") == "'x'"


@pytest.mark.parametrize("columns", [9, 16, 17, 20, 40])
def test_rows_are_cleared_as_the_terminal_wraps_them(start: Start, columns: int) -> None:
    program = start(columns=columns, rows=40)
    program.call("print", "before")
    description = "ein langer Text 高い塔の下で待っている人 👍 e\u0301"
    program.ask("condition", "str", "What is the reason for that?", description)
    program.wait_for("that?:")
    typed = "ab高い\x01cd\tef" * 4
    program.type(typed.replace("\x01", "\x16\x01"))  # Ctrl-V: not the start of a line
    program.wait(lambda screen: screen.replace("\n", "").count("^A") == 4)
    program.call("close", "condition", "done")
    program.shows("before", "", "done", "")
