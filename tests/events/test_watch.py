"""The feed of a watch: states in, the fewest notes that keep a picture true out."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from flyte_sidecar.errors import BackendUnavailable, StoreUnavailable
from flyte_sidecar.events.coalescing import Changed, CoalescingQueue, Disconnected, Synced
from flyte_sidecar.events.model import ABORTED, Payload, Scope
from flyte_sidecar.events.watch_feed import WatchSelector
from tests.events.states import AGAIN, DOWN, INBOX, RUN, SCOPE, answered, event, synced, taken

# What a change is called.


def test_all_that_stands_is_told_before_it_is_said_to_be_all() -> None:
    watch = CoalescingQueue(RUN)
    waits, done = event("waits"), answered(event("done"))
    watch.put(waits)
    watch.put(done)
    watch.sync()
    assert taken(watch) == [Changed("created", waits), Changed("created", done), Synced()]
    assert watch.take() is None


def test_where_nothing_stands_that_is_told_at_once() -> None:
    watch = CoalescingQueue(RUN)
    assert watch.take() is None
    watch.sync()
    assert taken(watch) == [Synced()]


def test_an_event_that_came_after_is_told_as_created_whatever_its_state() -> None:
    watch = synced(RUN)
    watch.put(event())
    watch.put(answered(event("done")))
    assert taken(watch) == [
        Changed("created", event()),
        Changed("created", answered(event("done"))),
    ]


def test_the_end_of_a_pending_event_is_told_as_resolved() -> None:
    watch = synced(RUN, event("answered"), event("aborted"))
    aborted = replace(event("aborted"), phase=ABORTED, pending=False, abort_reason="why")
    watch.put(answered(event("answered")))
    watch.put(aborted)
    assert taken(watch) == [
        Changed("resolved", answered(event("answered"))),
        Changed("resolved", aborted),
    ]


def test_another_change_is_told_as_an_update_before_and_after_the_end() -> None:
    queued = event(phase="QUEUED")
    watch = synced(RUN, queued)
    watch.put(event())
    watch.put(answered(event("done"), None))
    assert taken(watch) == [
        Changed("updated", event()),
        Changed("created", answered(event("done"), None)),
    ]
    watch.put(answered(event("done"), "late"))
    assert taken(watch) == [Changed("updated", answered(event("done"), "late"))]


def test_an_event_that_is_gone_is_told_as_it_stood_last() -> None:
    watch = synced(RUN, event())
    watch.remove(event())
    assert taken(watch) == [Changed("removed", event())]
    watch.remove(event())
    assert taken(watch) == []


def test_an_event_that_went_before_it_was_told_is_never_told() -> None:
    watch = CoalescingQueue(RUN)
    watch.put(event())
    watch.remove(event())
    watch.sync()
    assert taken(watch) == [Synced()]


def test_an_event_that_comes_again_is_created_again() -> None:
    watch = synced(RUN, event())
    watch.remove(event())
    taken(watch)
    watch.put(event())
    assert taken(watch) == [Changed("created", event())]


# What is no change.


@pytest.mark.parametrize("payload", [None, True, 3, "x", math.nan, math.inf, -math.inf])
def test_the_same_state_again_is_no_change(payload: Payload | None) -> None:
    watch = synced(RUN, event("waits"), answered(event(), payload))
    watch.put(event("waits"))
    watch.put(answered(event(), float("nan") if payload is math.nan else payload))
    assert taken(watch) == []


@pytest.mark.parametrize("payload", [math.nan, math.inf, False, 0, 0.0, ""])
def test_an_answer_that_is_known_later_than_the_end_is_a_change(payload: Payload) -> None:
    watch = synced(RUN, answered(event(), None))
    watch.put(answered(event(), payload))
    (note,) = taken(watch)
    assert isinstance(note, Changed)
    assert note.change == "updated"
    assert repr(note.event.payload) == repr(payload)


def test_a_state_that_came_and_went_while_nobody_read_is_no_change() -> None:
    watch = synced(RUN, event())
    watch.put(event(prompt="Really?"))
    watch.put(event())
    assert taken(watch) == []


def test_what_was_told_as_resolved_is_never_told_as_pending() -> None:
    watch = synced(RUN, event())
    watch.put(answered(event()))
    taken(watch)
    watch.put(event())
    watch.put(event(prompt="Really?"))
    assert taken(watch) == []
    watch.put(answered(event(), False))
    assert taken(watch) == [Changed("updated", answered(event(), False))]


def test_a_stale_state_does_not_take_the_place_of_an_end_that_waits_to_be_told() -> None:
    watch = synced(RUN, event())
    watch.put(answered(event()))
    watch.put(event())
    assert taken(watch) == [Changed("resolved", answered(event()))]


def test_of_an_ended_event_fewer_details_are_no_change() -> None:
    done = answered(event(prompt="Really?"))
    watch = synced(RUN, done)
    watch.put(replace(done, prompt=None, prompt_type=None, payload=None, partial=True))
    assert taken(watch) == []


def test_of_an_ended_event_more_details_are_a_change() -> None:
    done = answered(event(prompt="Really?"))
    partial = replace(done, prompt=None, prompt_type=None, payload=None, partial=True)
    watch = synced(RUN, partial)
    watch.put(done)
    assert taken(watch) == [Changed("updated", done)]


# What is watched.


@pytest.mark.parametrize(
    ("watched", "told"),
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
def test_only_what_is_watched_is_told(watched: WatchSelector, told: set[str]) -> None:
    events = [
        event("here"),
        event("under", parent="a1"),
        event("other", run_name="r2"),
        event("org", org="o"),
        event("project", project="p"),
        event("domain", domain="d"),
    ]
    watch = CoalescingQueue(watched)
    for one in events:
        watch.put(one)
    found = taken(watch)
    for one in events:
        watch.remove(one)
    gone = taken(watch)
    assert {note.event.name for note in found if isinstance(note, Changed)} == told
    assert {note.event.name for note in gone if isinstance(note, Changed)} == told


def test_events_of_one_id_in_several_runs_are_several() -> None:
    watch = synced(INBOX, event(), event(run_name="r2"))
    watch.put(answered(event(run_name="r2")))
    assert taken(watch) == [Changed("resolved", answered(event(run_name="r2")))]


def test_a_watch_of_what_is_pending_passes_over_what_is_resolved_already() -> None:
    watch = CoalescingQueue(INBOX)
    watch.put(answered(event("before")))
    watch.sync()
    watch.put(answered(event("after")))
    watch.put(event("in between"))
    watch.put(answered(event("in between")))
    assert taken(watch) == [Synced()]


def test_a_watch_of_what_is_pending_tells_an_end_once_and_forgets_the_event() -> None:
    watch = synced(INBOX, event())
    watch.put(answered(event()))
    assert taken(watch) == [Changed("resolved", answered(event()))]
    watch.put(answered(event(), False))
    watch.remove(answered(event()))
    assert taken(watch) == []
    assert not watch._reported


# The loss of the backend.


def test_a_loss_and_its_end_are_told_in_turn() -> None:
    watch = synced(RUN, event())
    watch.disconnect(DOWN)
    assert taken(watch) == [Disconnected(DOWN)]
    watch.put(answered(event()))
    watch.sync()
    assert taken(watch) == [Changed("resolved", answered(event())), AGAIN]


def test_without_a_loss_nothing_is_said_to_be_true_again() -> None:
    watch = synced(RUN)
    watch.sync()
    watch.sync()
    assert taken(watch) == []


def test_before_all_that_stands_was_put_a_loss_is_an_error() -> None:
    watch = CoalescingQueue(RUN)
    watch.put(event())
    with pytest.raises(BackendUnavailable):
        watch.disconnect(DOWN)
    assert taken(watch) == [Changed("created", event())]


def test_a_loss_that_lasts_is_told_once() -> None:
    watch = synced(RUN)
    for _ in range(3):
        watch.disconnect(DOWN)
    assert taken(watch) == [Disconnected(DOWN)]
    watch.disconnect(DOWN)
    assert taken(watch) == []
    watch.sync()
    assert taken(watch) == [AGAIN]


def test_of_losses_that_nobody_has_heard_of_the_last_is_told() -> None:
    watch = synced(RUN)
    worse = StoreUnavailable("gone", reason="io")
    watch.disconnect(DOWN)
    watch.sync()
    watch.disconnect(worse)
    assert taken(watch) == [Disconnected(worse)]
    watch.sync()
    assert taken(watch) == [AGAIN]


def test_an_end_of_a_loss_that_nobody_has_heard_of_is_no_end() -> None:
    watch = synced(RUN)
    watch.disconnect(DOWN)
    taken(watch)
    watch.sync()
    watch.disconnect(DOWN)
    assert taken(watch) == []
    watch.put(event())
    watch.sync()
    assert taken(watch) == [Changed("created", event()), AGAIN]


def test_a_loss_comes_after_what_it_came_after() -> None:
    watch = CoalescingQueue(RUN)
    watch.put(event())
    watch.sync()
    watch.disconnect(DOWN)
    watch.sync()
    assert taken(watch) == [Changed("created", event()), Synced(), Disconnected(DOWN), AGAIN]
