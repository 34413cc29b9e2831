"""What other people wrote, behind a bar: it cannot be taken for the text of this program."""

from __future__ import annotations

from flyte_sidecar.cli.prompt_text import prompt_lines
from flyte_sidecar.events.model import Event


def quoted_prompt(event: Event, columns: int, encoding: str, *, styled: bool) -> list[str]:
    """Return the prompt and the description of an event as quoted lines for a terminal.

    Parameters
    ----------
    encoding
        The encoding of the terminal.
    """
    bar = "│ "
    try:
        bar.encode(encoding)
    except UnicodeEncodeError:
        bar = "| "
    lines = prompt_lines(event, columns - len(bar), styled=styled)
    return [f"{bar}{line}".rstrip() for line in lines]
