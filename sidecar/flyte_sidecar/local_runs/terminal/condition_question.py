"""The question of a waiting condition, with the look of the SDK's own prompt.

Prompts are other people's text, so they are never interpreted as markup, unsafe characters are
escaped, and long texts are cut.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from msgspec import Struct

from flyte_sidecar.events.model import (
    DEFAULT_EXPECTED_TYPE,
    DEFAULT_PROMPT_TYPE,
    Event,
    ExpectedType,
    Payload,
    PromptType,
)
from flyte_sidecar.events.payload_text import parse_payload
from flyte_sidecar.events.plain_text import escape_unsafe, sanitize
from flyte_sidecar.local_runs.terminal.question import TAB_COLUMNS, Rendered
from flyte_sidecar.local_runs.terminal.terminal_device import Size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

MAX_CHARACTERS = 4096
"""Characters shown of a text; a deployment limits prompts to as many."""

MAX_LABEL_ROWS = 2
"""Rows of the name of a condition, and of a hint."""


class ConditionQuestion(Struct, frozen=True):
    """The question of a waiting condition."""

    run_name: str
    name: str
    action_name: str
    expected_type: ExpectedType
    prompt: str
    prompt_type: PromptType
    description: str

    @classmethod
    def of(cls, event: Event) -> ConditionQuestion:
        """Return the question of an event."""
        return cls(
            run_name=event.run_name,
            name=event.name,
            action_name=event.action_name,
            expected_type=event.expected_type or DEFAULT_EXPECTED_TYPE,
            prompt=event.prompt or "",
            prompt_type=event.prompt_type or DEFAULT_PROMPT_TYPE,
            description=event.description or "",
        )

    @property
    def takes_lines_typed_ahead(self) -> bool:
        return True  # as for the SDK's prompt

    def parse(self, line: str) -> Payload:
        return parse_payload(line.strip(), self.expected_type)  # the SDK strips answers too

    def render(self, size: Size, *, styled: bool) -> Rendered:
        """Return the prompt, with the name and the description of the condition."""
        from rich.text import Text

        console = _console(size, styled)
        label = Text.assemble(
            ("Condition:", "bold cyan"), " ", sanitize(self.name[:MAX_CHARACTERS])
        )
        rows = _wrap(console, label, MAX_LABEL_ROWS)
        if self.description:
            rows += _wrap(console, Text(_plain(self.description), "dim"), _budget(size))
        return _render(console, [*rows, *self._input_rows(console, size)])

    def render_again(self, size: Size, line: str, *, styled: bool) -> Rendered:
        """Return a hint that the last answer was not valid, and the prompt."""
        from rich.text import Text

        console = _console(size, styled)
        valid = "Y or N" if self.expected_type == "bool" else f"a valid {self.expected_type}"
        hint = _wrap(console, Text(f"Please enter {valid}", "red"), MAX_LABEL_ROWS)
        return _render(console, [*hint, *self._input_rows(console, size)])

    def _input_rows(self, console: Console, size: Size) -> list[Text]:
        """Return the rows of the prompt."""
        from rich.text import Text

        suffix = Text(": ")
        if self.expected_type == "bool":
            suffix = Text.assemble(" ", ("[y/n]", "prompt.choices"), ": ")
        return _wrap(console, Text(_plain(self.prompt)), _budget(size), suffix)


def _console(size: Size, styled: bool) -> Console:
    from rich.console import Console

    return Console(
        file=io.StringIO(),
        width=size.columns,
        height=size.rows,
        color_system="auto" if styled else None,
        force_terminal=True,
        legacy_windows=False,
    )


def _budget(size: Size) -> int:
    """Return how many rows the description and the prompt may each have, to fit on the screen."""
    return max(1, (size.rows - MAX_LABEL_ROWS - 2) // 2)


def _plain(text: str) -> str:
    """Return a text as it may be shown, with its lines."""
    cut = text[:MAX_CHARACTERS] + ("…" if len(text) > MAX_CHARACTERS else "")
    return "\n".join(escape_unsafe(line.expandtabs(TAB_COLUMNS)) for line in cut.splitlines())


def _wrap(console: Console, text: Text, budget: int, suffix: Text | None = None) -> list[Text]:
    """Return the rows of a text and its suffix. The text is cut if they exceed the budget."""
    from rich.text import Text

    suffix = suffix or Text()
    rows = list((text + suffix).wrap(console, console.width))
    if len(rows) <= budget:
        return rows
    rows = rows[:budget]
    rows[-1].append("…")
    rows[-1].truncate(max(1, console.width - suffix.cell_len), overflow="ellipsis")
    rows[-1].append_text(suffix)
    return rows


def _render(console: Console, rows: list[Text]) -> Rendered:
    from rich.text import Text

    with console.capture() as capture:
        console.print(Text("\n").join(rows), end="", soft_wrap=True)
    return Rendered(capture.get(), len(rows), rows[-1].cell_len)
