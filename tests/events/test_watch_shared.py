"""Watches share the objects of events: many watches cost little more than one."""

from __future__ import annotations

import gc
import math
import tracemalloc
from collections.abc import Iterator

import pytest

from flyte_sidecar.events.coalescing import Changed, CoalescingQueue
from flyte_sidecar.events.model import Event, Payload
from flyte_sidecar.events.watch_feed import WatchSelector
from tests.events.watch_updates import INBOX, RUN, answered, event, synced, take_all

EVENTS, WATCHES = 1000, 20

UNREAD, READ = 180 << 10, 60 << 10
"""Bytes that a watch may add to the first, before and after its client reads: its tables take 138
and 26 KB. Copies of the events would take 1 MB, and copies of what was reported 110 KB."""


def fill(watch: CoalescingQueue) -> None:
    """Put events that were decoded only for this watch."""
    for number in range(EVENTS):
        watch.put(event(f"question {number}", prompt=f"{number}: " + "a prompt " * 30))
    watch.sync()


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def used() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("watched", [RUN, INBOX], ids=["run", "inbox"])
def test_watches_of_the_same_events_add_little_to_the_first(
    watched: WatchSelector, traced: None
) -> None:
    watches = [CoalescingQueue(watched) for _ in range(WATCHES + 1)]
    fill(watches[0])
    one = used()
    for watch in watches[1:]:
        fill(watch)
    assert (used() - one) / WATCHES < UNREAD
    for watch in watches:
        assert len(take_all(watch)) == EVENTS + 1
    del watch
    several = used()
    del watches[1:]
    assert (several - used()) / WATCHES < READ


def states(watch: CoalescingQueue) -> list[Event]:
    return [note.event for note in take_all(watch) if isinstance(note, Changed)]


def test_watches_that_wait_for_their_clients_hold_the_same_object() -> None:
    first, second = synced(RUN), synced(INBOX)
    for watch in (first, second):
        watch.put(event(prompt="Approve?"))
    [one], [other] = states(first), states(second)
    assert one is other
    first.put(event(prompt="Really?"))
    assert states(first) == [event(prompt="Really?")]
    second.put(event(prompt="Approve?"))
    assert states(second) == []


def test_a_watch_that_is_behind_does_not_get_what_another_one_got() -> None:
    first, second = synced(RUN, event()), synced(RUN, event())
    first.put(answered(event()))
    assert take_all(first) == [Changed("resolved", answered(event()))]
    second.put(answered(event(), False))
    assert take_all(second) == [Changed("resolved", answered(event(), False))]
    for watch in (first, second):
        watch.put(event())
        assert take_all(watch) == []


@pytest.mark.parametrize("payload", [True, 1, 1.0, 0.0, -0.0, math.nan, "1"], ids=repr)
@pytest.mark.parametrize("other", [True, 1, 1.0, 0.0, -0.0, math.nan, "1"], ids=repr)
def test_payloads_that_are_only_equal_in_python_are_not_shared(
    payload: Payload, other: Payload
) -> None:
    first, second = synced(RUN), synced(RUN)
    first.put(answered(event(), payload))
    second.put(answered(event(), other))
    [reported] = states(second)
    assert repr(reported.payload) == repr(other)
