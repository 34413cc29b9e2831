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
    return EventTable().lines(events)


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


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        (100, ["PROJECT", "RUN", "NAME", "TYPE", "AGE", "EXPIRES", "PROMPT"]),
        (81, ["PROJECT", "RUN", "NAME", "TYPE", "AGE", "PROMPT"]),
        (80, ["PROJECT", "RUN", "NAME", "TYPE", "AGE"]),
        (65, ["PROJECT", "RUN", "NAME", "TYPE"]),
        (60, ["PROJECT", "RUN", "NAME"]),
        (40, ["PROJECT", "RUN", "NAME"]),
        (20, ["PROJECT", "RUN", "NAME"]),
    ],
)
def test_what_is_needed_to_answer_is_the_last_to_be_shortened(
    monkeypatch: pytest.MonkeyPatch, columns: int, titles: list[str]
) -> None:
    lines = table(monkeypatch, columns, event("local"), event("flytesnacks"))
    assert max(map(len, lines)) <= columns
    assert len(cells_of(lines[0])) == len(titles)
    if columns >= 60:
        assert cells_of(lines[0]) == titles
        assert cells_of(lines[2])[:3] == [
            "flytesnacks",
            "a-run-with-a-long-name",
            "deploy-to-production",
        ]


def test_the_columns_grow_with_later_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "columns", lambda: None)
    growing = EventTable()
    headers, first = growing.lines([event("p", "n")], more=True)
    [second] = growing.lines([event("p", "deploy")], more=True)
    [third] = growing.lines([event("p", "a-name-that-is-longer-than-most")])
    [last] = growing.lines([event("p", "n")])
    offset = headers.index("PROMPT")
    assert first.index("Deploy the") == second.index("Deploy the") == offset
    assert third.index("Deploy the") == last.index("Deploy the") > offset
    assert growing.lines([]) == []


def test_a_complete_table_is_as_narrow_as_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    complete = table(monkeypatch, None, event("p", "n"))
    assert complete[0].startswith("RUN                     NAME  TYPE   AGE  EXPIRES  PROMPT")


@pytest.mark.parametrize("several", [False, True])
def test_the_project_is_shown_if_later_events_may_have_another(
    monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    monkeypatch.setattr(terminal, "columns", lambda: None)
    growing = EventTable(several_projects=several)
    lines = growing.lines([event("local")], more=True) + growing.lines([event("flytesnacks")])
    assert [line.startswith(("PROJECT", "local", "flytesnacks")) for line in lines] == [several] * 3
