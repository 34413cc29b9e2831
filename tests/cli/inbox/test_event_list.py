"""The rows of the list, the filter and the selection."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from flyte_sidecar.cli.inbox.event_list import ENDED_SECONDS, MAX_ENDED, EventList
from flyte_sidecar.events.model import Event
from tests.lsp.events import DAY, make_event


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def listed(*names: str, clock: Clock | None = None) -> tuple[EventList, dict[str, Event]]:
    events = EventList(clock or Clock())
    made = {
        name: make_event(name, created_at=DAY + timedelta(seconds=second))
        for second, name in enumerate(names)
    }
    for event in made.values():
        events.put(event)
    return events, made


def names(events: EventList, height: int = 100) -> list[str]:
    return [row.event.name for row in events.visible(height)]


def selected(events: EventList) -> str | None:
    return None if events.selected is None else events.selected.event.name


def answered(event: Event) -> Event:
    return replace(event, pending=False, phase="SUCCEEDED", payload=True, signalled_by="ann")


def test_events_are_listed_in_order_of_creation() -> None:
    events, made = listed("a", "b", "c")
    events.put(make_event("first", second=0, action_name="a-before"))
    assert names(events) == ["first", "a", "b", "c"]
    events.put(replace(made["a"], created_at=make_event("z", second=9).created_at))
    assert names(events) == ["first", "b", "c", "a"]
    assert events.waiting == 4


def test_events_of_equal_names_in_other_projects_have_their_own_rows() -> None:
    events, made = listed("a")
    twin = replace(made["a"], project="other")
    events.put(twin)
    events.end(answered(twin))
    assert [row.event.project for row in events.rows if row.ended is None] == ["local"]


def test_the_selected_event_stays_selected_when_others_come_and_go() -> None:
    events, made = listed("b", "c", "d")
    events.move(1)
    events.put(make_event("a", second=0, action_name="a"))
    events.end(answered(made["b"]))
    assert selected(events) == "c"
    events.end(answered(made["c"]))
    assert selected(events) == "c"


def test_the_selected_row_stays_on_its_line_when_rows_above_it_come_and_go() -> None:
    clock = Clock()
    events, made = listed("a", "b", "c", "d", "e", "f", "g", clock=clock)
    events.move(4)
    assert names(events, 3) == ["c", "d", "e"]
    events.put(make_event("x", second=0, action_name="x"))
    assert names(events, 3) == ["c", "d", "e"]
    events.end(answered(made["a"]))
    clock.now += ENDED_SECONDS
    events.remove_ended()
    assert names(events, 3) == ["c", "d", "e"]


def test_an_event_that_ended_stays_for_a_while_and_longer_while_it_is_selected() -> None:
    clock = Clock()
    events, made = listed("a", "b", clock=clock)
    events.end(answered(made["a"]))
    events.end(answered(made["b"]))
    assert [(row.event.name, row.ended) for row in events.rows] == [
        ("a", "approved by ann"),
        ("b", "approved by ann"),
    ]
    assert selected(events) == "a"
    assert events.waiting == 0
    clock.now += ENDED_SECONDS - 1
    events.remove_ended()
    assert names(events) == ["a", "b"]
    clock.now += 1
    events.remove_ended()
    assert names(events) == ["a"]
    events.put(make_event("c", second=9))
    events.move(1)
    events.remove_ended()
    assert names(events) == ["c"]


def test_an_event_that_is_listed_again_waits_again() -> None:
    clock = Clock()
    events, made = listed("a", clock=clock)
    events.end(made["a"])
    assert events.rows[0].ended == "no longer listed"
    events.put(made["a"])
    assert events.waiting == 1
    clock.now += ENDED_SECONDS
    events.remove_ended()
    assert [row.ended for row in events.rows] == [None]


def test_of_many_events_that_ended_only_the_last_are_kept() -> None:
    events, made = listed(*(f"e{number}" for number in range(MAX_ENDED + 50)))
    assert selected(events) == "e0"
    for event in made.values():
        events.end(answered(event))
    assert len(events.rows) == MAX_ENDED
    assert selected(events) == events.rows[0].event.name == "e0"
    assert events.rows[-1].event.name == f"e{MAX_ENDED + 49}"


def test_an_event_that_ended_keeps_no_prompt_and_no_payload() -> None:
    events, made = listed("a")
    events.end(replace(answered(made["a"]), prompt="x" * 10_000, payload="y" * 10_000))
    [row] = events.rows
    assert row.event.size < 2000
    assert len(row.ended or "") < 200


def test_the_filter_shows_events_that_contain_all_words() -> None:
    events, _ = listed("deploy", "review")
    events.put(make_event("threshold", second=3, prompt="Deploy above WHICH value?"))
    events.filter("DEPLOY")
    assert names(events) == ["deploy", "threshold"]
    events.filter("which deploy")
    assert names(events) == ["threshold"]
    events.put(make_event("other", second=4))
    events.put(make_event("next", second=5, prompt="which deploy?"))
    assert names(events) == ["threshold", "next"]
    events.filter("")
    assert len(events.rows) == 5


def test_a_filter_that_hides_the_selected_event_selects_the_next_one() -> None:
    events, _ = listed("x1", "y1", "x2", "y2")
    events.move(1)
    events.filter("x")
    assert selected(events) == "x2"
    events.filter("nothing")
    assert selected(events) is None
    events.filter("")
    assert selected(events) == "x1"


def test_the_selected_event_stays_when_it_no_longer_matches_the_filter() -> None:
    events, made = listed("x", "y")
    events.filter("x")
    assert selected(events) == "x"
    events.put(replace(made["x"], name="renamed"))
    assert names(events) == ["renamed"]


def test_movements_stop_at_the_ends() -> None:
    events, _ = listed("a", "b", "c", "d", "e")
    events.visible(3)
    events.move(-1)
    assert selected(events) == "a"
    events.move_pages(1)
    assert selected(events) == "c"
    events.move_pages(5)
    assert selected(events) == "e"
    events.move_to_start()
    assert selected(events) == "a"
    events.move_to_end()
    assert names(events, 3) == ["c", "d", "e"]


def test_movements_in_an_empty_list_do_nothing() -> None:
    events = EventList(Clock())
    events.move(1)
    events.move_to_end()
    assert events.visible(5) == ()
    assert selected(events) is None
