"""The question of a waiting condition, as text for a terminal.

The look is that of the SDK's own prompt. Prompts are other people's text, so they are never
interpreted as markup, unsafe characters are escaped, and long texts are cut.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from msgspec import Struct

from flyte_sidecar.events.model import ExpectedType, PromptType
from flyte_sidecar.events.plain_text import escape_unsafe, sanitize

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MAX_CHARACTERS = 4096
"""Characters shown of a text; a deployment limits prompts to as many."""

TAB_COLUMNS = 8


class Question(Struct, frozen=True):
    """The question of a waiting condition."""

    run_name: str
    name: str
    action_name: str
    expected_type: ExpectedType
    prompt: str
    prompt_type: PromptType
    description: str


class Size(Struct, frozen=True):
    """The size of a terminal."""

    columns: int
    rows: int


class Rendered(Struct, frozen=True):
    """Text for a terminal, which ends where the answer is typed.

    Attributes
    ----------
    text
        The text with control sequences for colours.
    rows
        The number of rows from the first to the last.
    last_columns
        The number of columns used in the last row.
    """

    text: str
    rows: int
    last_columns: int


def render(question: Question, size: Size) -> Rendered:
    """Return the question, with the name and the description of its condition."""
    from rich.text import Text

    console = _console(size)
    budget = max(1, (size.rows - 5) // 2)
    label = Text.assemble(("Condition:", "bold cyan"), " ", sanitize(question.name))
    lines = _wrap(console, label, Text(), 2)
    if question.description:
        lines += _wrap(console, Text(_plain(question.description), "dim"), Text(), budget)
    return _render(console, [*lines, *_input_lines(console, question, budget)])


def render_again(question: Question, size: Size) -> Rendered:
    """Return a hint that the last answer was not valid, and the prompt."""
    from rich.text import Text

    console = _console(size)
    valid = "Y or N" if question.expected_type == "bool" else f"a valid {question.expected_type}"
    hint = _wrap(console, Text(f"Please enter {valid}", "red"), Text(), 2)
    budget = max(1, (size.rows - 5) // 2)
    return _render(console, [*hint, *_input_lines(console, question, budget)])


def rows_below(rendered_columns: int, typed: str, columns: int) -> int:
    """Return how many rows the cursor has moved down while a text was typed."""
    from rich.cells import cell_len

    end = rendered_columns
    for character in typed:
        if character == "\t":
            end += TAB_COLUMNS - end % TAB_COLUMNS
        elif character.isprintable():
            end += cell_len(character)
        else:
            end += 2  # terminals echo control characters as ^X
    return max(0, end - 1) // columns


def _console(size: Size) -> Console:
    from rich.console import Console

    return Console(
        file=io.StringIO(),
        width=size.columns,
        height=size.rows,
        force_terminal=True,
        legacy_windows=False,
    )


def _plain(text: str) -> str:
    """Return a text that may be shown, with its lines."""
    cut = text[:MAX_CHARACTERS] + ("…" if len(text) > MAX_CHARACTERS else "")
    return "\n".join(escape_unsafe(line.expandtabs(TAB_COLUMNS)) for line in cut.splitlines())


def _input_lines(console: Console, question: Question, budget: int) -> list[Text]:
    from rich.text import Text

    suffix = Text(": ")
    if question.expected_type == "bool":
        suffix = Text.assemble(" ", ("[y/n]", "prompt.choices"), ": ")
    return _wrap(console, Text(_plain(question.prompt)), suffix, budget)


def _wrap(console: Console, text: Text, suffix: Text, budget: int) -> list[Text]:
    """Return the rows of a text and its suffix; if they exceed the budget, the text is cut."""
    from rich.text import Text

    rows = list((text + suffix).wrap(console, console.width))
    if len(rows) > budget:
        rows = [*rows[: budget - 1], Text("…") + suffix]
    return rows


def _render(console: Console, lines: list[Text]) -> Rendered:
    from rich.text import Text

    with console.capture() as capture:
        console.print(Text("\n").join(lines), end="", soft_wrap=True)
    return Rendered(capture.get(), len(lines), lines[-1].cell_len)
