"""The queue of a watch: states in, as few updates as possible out."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from flyte_sidecar.errors import BackendUnavailable, StoreUnavailable
from flyte_sidecar.events.coalescing import Changed, CoalescingQueue, Disconnected, Synced
from flyte_sidecar.events.model import ABORTED, ANY_SCOPE, Payload, Scope
from flyte_sidecar.events.watch_feed import WatchSelector
from tests.events.watch_updates import (
    AGAIN,
    DOWN,
    INBOX,
    RUN,
    SCOPE,
    answered,
    event,
    synced,
    take_all,
)

# The kinds of changes.


def test_all_current_events_are_reported_before_synced() -> None:
    watch = CoalescingQueue(RUN)
    waits, done = event("waits"), answered(event("done"))
    watch.put(waits)
    watch.put(done)
    watch.sync()
    assert take_all(watch) == [Changed("created", waits), Changed("created", done), Synced()]
    assert watch.take() is None


def test_without_events_synced_is_reported_immediately() -> None:
    watch = CoalescingQueue(RUN)
    assert watch.take() is None
    watch.sync()
    assert take_all(watch) == [Synced()]


def test_a_new_event_is_reported_as_created_in_any_state() -> None:
    watch = synced(RUN)
    watch.put(event())
    watch.put(answered(event("done")))
    assert take_all(watch) == [
        Changed("created", event()),
        Changed("created", answered(event("done"))),
    ]


def test_the_end_of_a_pending_event_is_reported_as_resolved() -> None:
    watch = synced(RUN, event("answered"), event("aborted"))
    aborted = replace(event("aborted"), phase=ABORTED, pending=False, abort_reason="why")
    watch.put(answered(event("answered")))
    watch.put(aborted)
    assert take_all(watch) == [
        Changed("resolved", answered(event("answered"))),
        Changed("resolved", aborted),
    ]


def test_any_other_change_is_an_update_before_and_after_the_end() -> None:
    queued = event(phase="QUEUED")
    watch = synced(RUN, queued)
    watch.put(event())
    watch.put(answered(event("done"), None))
    assert take_all(watch) == [
        Changed("updated", event()),
        Changed("created", answered(event("done"), None)),
    ]
    watch.put(answered(event("done"), "late"))
    assert take_all(watch) == [Changed("updated", answered(event("done"), "late"))]


def test_a_removed_event_is_reported_in_its_last_state() -> None:
    watch = synced(RUN, event())
    watch.remove(event())
    assert take_all(watch) == [Changed("removed", event())]
    watch.remove(event())
    assert take_all(watch) == []


def test_an_event_removed_before_it_was_reported_is_never_reported() -> None:
    watch = CoalescingQueue(RUN)
    watch.put(event())
    watch.remove(event())
    watch.sync()
    assert take_all(watch) == [Synced()]


def test_an_event_that_reappears_is_created_again() -> None:
    watch = synced(RUN, event())
    watch.remove(event())
    take_all(watch)
    watch.put(event())
    assert take_all(watch) == [Changed("created", event())]


# States without a change.


@pytest.mark.parametrize("payload", [None, True, 3, "x", math.nan, math.inf, -math.inf])
def test_the_same_state_again_is_no_change(payload: Payload | None) -> None:
    watch = synced(RUN, event("waits"), answered(event(), payload))
    watch.put(event("waits"))
    watch.put(answered(event(), float("nan") if payload is math.nan else payload))
    assert take_all(watch) == []


@pytest.mark.parametrize("payload", [math.nan, math.inf, False, 0, 0.0, ""])
def test_an_answer_that_becomes_known_after_the_end_is_a_change(payload: Payload) -> None:
    watch = synced(RUN, answered(event(), None))
    watch.put(answered(event(), payload))
    (note,) = take_all(watch)
    assert isinstance(note, Changed)
    assert note.change == "updated"
    assert repr(note.event.payload) == repr(payload)


def test_a_state_that_came_and_went_while_the_client_did_not_read_is_no_change() -> None:
    watch = synced(RUN, event())
    watch.put(event(prompt="Really?"))
    watch.put(event())
    assert take_all(watch) == []


def test_an_event_reported_as_resolved_is_never_reported_as_pending() -> None:
    watch = synced(RUN, event())
    watch.put(answered(event()))
    take_all(watch)
    watch.put(event())
    watch.put(event(prompt="Really?"))
    assert take_all(watch) == []
    watch.put(answered(event(), False))
    assert take_all(watch) == [Changed("updated", answered(event(), False))]


def test_a_stale_state_does_not_replace_a_queued_end() -> None:
    watch = synced(RUN, event())
    watch.put(answered(event()))
    watch.put(event())
    assert take_all(watch) == [Changed("resolved", answered(event()))]


def test_fewer_details_of_an_ended_event_are_no_change() -> None:
    done = answered(event(prompt="Really?"))
    watch = synced(RUN, done)
    watch.put(replace(done, prompt=None, prompt_type=None, payload=None, partial=True))
    assert take_all(watch) == []


def test_more_details_of_an_ended_event_are_a_change() -> None:
    done = answered(event(prompt="Really?"))
    partial = replace(done, prompt=None, prompt_type=None, payload=None, partial=True)
    watch = synced(RUN, partial)
    watch.put(done)
    assert take_all(watch) == [Changed("updated", done)]


# Selection.


@pytest.mark.parametrize(
    ("watched", "reported"),
    [
        (RUN, {"here", "under"}),
        (WatchSelector(scope=SCOPE, run_name="r1", parent="a1"), {"under"}),
        (WatchSelector(scope=SCOPE, run_name="r2"), {"other"}),
        (INBOX, {"here", "under", "other"}),
        (WatchSelector(scope=SCOPE, parent="a1"), {"under"}),
        (WatchSelector(scope=Scope("o", "local", "local"), run_name="r1"), {"org"}),
        (WatchSelector(scope=Scope(None, "p", "local")), {"project"}),
        (WatchSelector(scope=Scope(None, "local", "d")), {"domain"}),
    ],
)
def test_only_selected_events_are_reported(watched: WatchSelector, reported: set[str]) -> None:
    events = [
        event("here"),
        event("under", parent="a1"),
        event("other", run_name="r2"),
        event("org", org="o"),
        event("project", project="p"),
        event("domain", domain="d"),
    ]
    watch = CoalescingQueue(watched)
    for state in events:
        watch.put(state)
    found = take_all(watch)
    for state in events:
        watch.remove(state)
    gone = take_all(watch)
    assert {note.event.name for note in found if isinstance(note, Changed)} == reported
    assert {note.event.name for note in gone if isinstance(note, Changed)} == reported


def test_events_of_one_id_in_several_runs_are_several() -> None:
    watch = synced(INBOX, event(), event(run_name="r2"))
    watch.put(answered(event(run_name="r2")))
    assert take_all(watch) == [Changed("resolved", answered(event(run_name="r2")))]


def test_a_watch_of_pending_events_ignores_events_that_are_already_resolved() -> None:
    watch = CoalescingQueue(INBOX)
    watch.put(answered(event("before")))
    watch.sync()
    watch.put(answered(event("after")))
    watch.put(event("in between"))
    watch.put(answered(event("in between")))
    assert take_all(watch) == [Synced()]


def test_a_watch_of_pending_events_reports_an_end_once_and_forgets_the_event() -> None:
    watch = synced(INBOX, event())
    watch.put(answered(event()))
    assert take_all(watch) == [Changed("resolved", answered(event()))]
    watch.put(answered(event(), False))
    watch.remove(answered(event()))
    assert take_all(watch) == []
    assert not watch._reported


# Disconnection of the backend.


def test_a_disconnection_and_its_end_are_reported_in_turn() -> None:
    watch = synced(RUN, event())
    watch.disconnect(DOWN)
    assert take_all(watch) == [Disconnected(DOWN)]
    watch.put(answered(event()))
    watch.sync()
    assert take_all(watch) == [Changed("resolved", answered(event())), AGAIN]


def test_without_a_disconnection_nothing_is_resynced() -> None:
    watch = synced(RUN)
    watch.sync()
    watch.sync()
    assert take_all(watch) == []


def test_a_disconnection_before_the_first_sync_is_an_error() -> None:
    watch = CoalescingQueue(RUN)
    watch.put(event())
    with pytest.raises(BackendUnavailable):
        watch.disconnect(DOWN)
    assert take_all(watch) == [Changed("created", event())]


def test_a_lasting_disconnection_is_reported_once() -> None:
    watch = synced(RUN)
    for _ in range(3):
        watch.disconnect(DOWN)
    assert take_all(watch) == [Disconnected(DOWN)]
    watch.disconnect(DOWN)
    assert take_all(watch) == []
    watch.sync()
    assert take_all(watch) == [AGAIN]


def test_only_the_last_of_unread_disconnections_is_reported() -> None:
    watch = synced(RUN)
    worse = StoreUnavailable("gone", reason="io")
    watch.disconnect(DOWN)
    watch.sync()
    watch.disconnect(worse)
    assert take_all(watch) == [Disconnected(worse)]
    watch.sync()
    assert take_all(watch) == [AGAIN]


def test_an_unread_end_of_a_disconnection_is_withdrawn_when_it_continues() -> None:
    watch = synced(RUN)
    watch.disconnect(DOWN)
    take_all(watch)
    watch.sync()
    watch.disconnect(DOWN)
    assert take_all(watch) == []
    watch.put(event())
    watch.sync()
    assert take_all(watch) == [Changed("created", event()), AGAIN]


def test_of_several_backends_each_disconnection_is_reported_with_its_end() -> None:
    watch = synced(RUN)
    watch.disconnect(DOWN, "flyte")
    watch.disconnect(DOWN, "local")
    assert take_all(watch) == [Disconnected(DOWN, "flyte"), Disconnected(DOWN, "local")]
    watch.sync("local")
    watch.disconnect(DOWN, "flyte")
    assert take_all(watch) == [Synced(again=True, backend="local")]
    watch.sync("local")
    watch.sync("flyte")
    assert take_all(watch) == [Synced(again=True, backend="flyte")]


def test_one_of_several_backends_may_be_disconnected_before_the_first_sync() -> None:
    watch = CoalescingQueue(RUN)
    watch.disconnect(DOWN, "flyte")
    watch.put(event())
    watch.sync()
    assert take_all(watch) == [Disconnected(DOWN, "flyte"), Changed("created", event()), Synced()]
    watch.sync()
    assert take_all(watch) == []
    watch.sync("flyte")
    assert take_all(watch) == [Synced(again=True, backend="flyte")]


def test_a_selector_without_a_scope_selects_the_events_of_all_scopes() -> None:
    watch = CoalescingQueue(WatchSelector(scope=ANY_SCOPE, run_name="r1"))
    elsewhere = event(project="p", org="o")
    for state in (event(), elsewhere, event(run_name="r2")):
        watch.put(state)
    assert take_all(watch) == [Changed("created", event()), Changed("created", elsewhere)]


def test_a_disconnection_is_reported_after_the_changes_before_it() -> None:
    watch = CoalescingQueue(RUN)
    watch.put(event())
    watch.sync()
    watch.disconnect(DOWN)
    watch.sync()
    assert take_all(watch) == [Changed("created", event()), Synced(), Disconnected(DOWN), AGAIN]
