"""The table of pending events, for events of several projects."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.event_table import EventTable
from flyte_sidecar.events.model import PAUSED, Event
from tests.cli.verbs import cells_of

UNKNOWN = dict.fromkeys(Event.__struct_fields__)


def event(project: str, name: str = "deploy-to-production") -> Event:
    members = {
        "project": project,
        "run_name": "a-run-with-a-long-name",
        "name": name,
        "pending": True,
        "phase": PAUSED,
        "expected_type": "float",
        "created_at": datetime.now(UTC),
        "prompt": "Deploy the model to production? " * 3,
    }
    return Event(**{**UNKNOWN, **members})


def table(monkeypatch: pytest.MonkeyPatch, columns: int | None, *events: Event) -> list[str]:
    monkeypatch.setattr(terminal, "columns", lambda: columns)
    table = EventTable()
    table.add(events)
    return table.lines()


def test_the_projects_are_shown_if_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    one = table(monkeypatch, None, event("local"), event("local"))
    assert cells_of(one[0])[:2] == ["RUN", "NAME"]
    several = table(monkeypatch, None, event("local", "n"), event("flytesnacks", "m"))
    rows = [cells_of(line) for line in several]
    assert [row[:1] + row[2:3] for row in rows] == [
        ["PROJECT", "NAME"],
        ["local", "n"],
        ["flytesnacks", "m"],
    ]


@pytest.mark.parametrize("columns", [40, 46, 47, 60, 80])
def test_a_table_with_projects_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    lines = table(monkeypatch, columns, event("local"), event("flytesnacks"))
    assert max(map(len, lines)) <= columns
    assert lines[1].startswith("local  ")
    has_prompt = len(cells_of(lines[0])) == 7
    assert has_prompt == (columns >= 47)  # the other columns need 40
