"""The screens in docs/command-line.md of an inbox.

With UPDATE_CAPTURES=1, the test replaces them by what a terminal shows.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import env, other
from tests.cli.inbox.conftest import InboxTerminal, Start, start
from tests.cli.verbs import ask
from tests.docs.blocks import named
from tests.e2e.process import Process

pytestmark = pytest.mark.posix

__all__ = ["env", "other", "start"]  # fixtures

PROMPT = """\
# Deploy the model?

Its accuracy is **0.94**, that of the old one is 0.91:

- [evaluation](https://example.org/evaluations/7)
- `kubectl rollout undo` restores the old one
"""


def test_the_captures_show_what_a_terminal_shows(start: Start, other: Process, store: Path) -> None:
    description = "A deployment takes a minute."
    markdown = {"prompt": PROMPT, "promptType": "markdown", "description": description}
    ask(other, "deploy", "training-7", expiresInSeconds=2 * 86400 + 3600, **markdown)
    ask(other, "threshold", "training-7", expectedType="float", prompt="Which threshold?")
    ask(other, "review", "labels-3", prompt="Are the labels of batch 3 correct?")
    ask(other, "comment", "labels-3", expectedType="str", prompt="What must be improved?")
    age_events(store, "deploy", "threshold", "review", "comment")
    user = {"LOGNAME": "ann"}
    screen = start(columns=80, rows=22, also=user)
    screen.wait_for("4 events wait")
    screen.type("jj")
    screen.wait_for("> labels-3    review")
    screen.type("y")
    screen.wait_for("3 events wait")
    check("list", screen, lambda text: "review of run labels-3 was approved" in text)
    screen.type("g\r")
    screen.wait_for("A deployment takes")
    check("prompt", screen, lambda text: "Esc back" in text)
    plain = start("--plain", columns=80, also=user)
    plain.wait_for("3: comment of run labels-3")
    plain.type("2 0.8\n")
    plain.wait_for("was answered with 0.8")
    other.call("events.abort", runName="labels-3", name="comment", reason="obsolete")
    check("plain", plain, lambda text: ": obsolete." in text)


def age_events(store: Path, *names: str) -> None:
    """Let the events be 12 minutes old, and created in this order."""
    now = datetime.now(UTC)
    with closing(sqlite3.connect(store)) as file, file:
        for number, name in enumerate(names):
            created_at = now - timedelta(minutes=12, seconds=20 - number)
            file.execute(
                "UPDATE event SET document = json_set(document, '$.createdAt', ?)"
                " WHERE json_extract(document, '$.name') = ?",
                (created_at.isoformat().replace("+00:00", "Z"), name),
            )


def check(name: str, terminal: InboxTerminal, is_complete: Callable[[str], object]) -> None:
    """Wait until the screen is complete, and compare it with a capture of the page."""
    block = named("capture", name)
    terminal.wait(is_complete)
    if os.environ.get("UPDATE_CAPTURES"):
        block.replace(normalized(terminal.text))
    else:
        terminal.wait(lambda text: normalized(text) == block.text)


def normalized(screen: str) -> str:
    """Return the lines of a screen, with the same time and id each time, and less empty ones."""
    text = re.sub(r"\b20\d\d-\d\d-\d\d(\s+)\d\d:\d\d", r"2026-03-02\g<1>14:02", screen)
    text = re.sub(r"\be[0-9a-f]{16}\b", "e52a1f9c07d34b86a", text)
    return re.sub(r"\n{4,}", "\n\n\n", text).strip("\n") + "\n"
