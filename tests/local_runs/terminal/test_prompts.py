"""Prompts at the terminal, as the person in front of it sees them."""

from __future__ import annotations

import pytest

from tests.local_runs.terminal.conftest import Start

pytestmark = pytest.mark.posix

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


def test_answers_of_another_type_are_cleared_too(start: Start) -> None:
    program = start(columns=20)
    program.call("print", "before")
    program.ask("c", "int", "How many?")
    for asked, typed in enumerate(("x" * 9, "x" * 10, "x" * 50), 1):
        program.wait(lambda screen, asked=asked: screen.count("How many?:") == asked)
        program.type(f"{typed}\n")
    program.wait(lambda screen: screen.count("How many?:") == 4)
    program.call("close", "c", "done")
    program.shows("before", "", "done", "")


def test_a_prompt_is_limited_to_the_screen(start: Start) -> None:
    program = start(columns=30, rows=12)
    program.call("print", "before")
    text = "\n".join(f"line {n} \x1b[2J\u202e" for n in range(5000))
    program.ask("c" * 500, "bool", text, text)
    program.wait_for("[y/n]:")
    assert program.lines[0] == "before"
    assert r"line 0 \x1b[2J\u202e" in program.text
    assert program.text.count("…") == 3
    program.call("close", "c" * 500, "done")
    program.shows("before", "", "done", "")


def test_a_terminal_without_control_sequences_gets_lines(start: Start) -> None:
    program = start(term="dumb")
    program.call("print", "before")
    program.ask("c")
    program.shows("before", "", "Condition: c", APPROVE)
    assert program.style("Condition:") == ("default", False)
    program.type("ye")
    program.wait_for(f"{APPROVE} ye")
    program.call("close", "c", "done")
    program.shows("before", "", "Condition: c", f"{APPROVE} ye", "done", "")


def test_a_terminal_that_was_resized_is_not_cleared(start: Start) -> None:
    program = start(columns=60)
    program.ask("c")
    program.wait_for(APPROVE)
    program.resize(40, 24)
    program.call("close", "c", "done")
    program.shows("", "Condition: c", APPROVE, "done", "")


def test_prompts_are_shown_one_at_a_time_in_their_order(start: Start) -> None:
    program = start(rows=200)
    names = [f"c{n}" for n in range(50)]
    for name in names:
        program.ask(name, "str", f"Why {name}?")
    program.shows("", "Condition: c0", "Why c0?:")
    for name in names[1::2]:
        program.call("close", name, f"{name} is closed")
    lines = [f"{name} is closed" for name in names[1::2]]
    program.shows("", *lines, "", "Condition: c0", "Why c0?:")
    asked = []
    for name in names[::2]:
        program.wait_for(f"Why {name}?:")
        program.type(f"answer {name}\n")
        assert program.call("answer", name) == f"'answer {name}'"
        asked += ["", f"Condition: {name}", f"Why {name}?: answer {name}"]
    program.shows("", *lines, *asked, "")
    assert program.call("is_intact")


def test_a_line_of_a_queued_prompt_leaves_the_prompt_that_is_shown(start: Start) -> None:
    program = start()
    program.ask("first", "str", "Why?")
    program.ask("second")
    program.shows("", "Condition: first", "Why?:")
    program.type("be")
    program.shows("", "Condition: first", "Why?: be")
    program.call("close", "second", "second was answered")
    # What was typed could not be shown again, so it is discarded.
    program.shows("", "second was answered", "", "Condition: first", "Why?:")
    program.type("so\n")
    assert program.call("answer", "first") == "'so'"


def test_lines_typed_ahead_answer_the_next_prompts(start: Start) -> None:
    program = start()
    program.call("print", "before")
    program.type("y\nmaybe\nn\n")
    program.shows("before", "y", "maybe", "n", "")
    for name in ("a", "b", "c"):
        program.ask(name)
    assert [program.call("answer", name) for name in ("a", "b")] == ["True", "False"]
    program.wait_for(f"Condition: c\n{APPROVE}")
    program.call("close", "c", "done")
    shown = ["before", "y", "maybe", "n", "", "Condition: a", APPROVE, "Condition: b", APPROVE]
    shown[-1] += " Please enter Y or N"
    program.shows(*shown, APPROVE, "done", "")


def test_a_cancelled_wait_removes_the_prompt(start: Start) -> None:
    program = start()
    program.call("print", "before")
    program.ask("first")
    program.ask("second")
    program.shows("before", "", "Condition: first", APPROVE)
    program.call("cancel", "first")
    program.shows("before", "", "", "Condition: second", APPROVE)
    program.call("cancel", "second")
    program.shows("before", "", "")


def test_answers_arrive_in_the_event_loops_that_wait(start: Start) -> None:
    program = start()
    names = ["gone", "a", "b", "c"]
    for name in names:
        program.call("leave", name, "int", "How many?", "")
    program.call("await_in_closed_loop", "gone")
    program.start("answer_in_loops", names[1:])
    for number, name in enumerate(names):
        program.wait_for(f"Condition: {name}\nHow many?:")
        program.type(f"{number}\n")
    assert program.reply() == ["1", "2", "3"]
    assert "Traceback" not in program.text
