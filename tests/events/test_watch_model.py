"""The queue of a watch after any sequence of calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flyte_sidecar.errors import BackendUnavailable
from flyte_sidecar.events.coalescing import CoalescingQueue, Synced
from flyte_sidecar.events.model import Event, Payload
from flyte_sidecar.events.watch_feed import WatchSelector
from tests.contract.harness import Picture
from tests.events.watch_updates import DOWN, INBOX, RUN, answered, event

KEYS = st.integers(0, 3)
PAYLOADS: st.SearchStrategy[Payload | None] = st.sampled_from(
    [None, True, 3, 3.0, "x", math.nan, math.inf]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), KEYS),
        st.tuples(st.just("end"), KEYS, PAYLOADS),
        st.tuples(st.just("again"), KEYS),
        st.tuples(st.just("stale"), KEYS),
        st.tuples(st.just("remove"), KEYS),
        st.tuples(st.just("disconnect")),
        st.tuples(st.just("sync")),
        st.tuples(st.just("take"), st.integers(1, 5)),
    ),
    max_size=60,
)


class SimulatedBackend:
    """A backend that runs given steps, and knows the state of each event.

    Its events carry the number of the step that made their state as `group`.
    """

    def __init__(self, watch: CoalescingQueue) -> None:
        self.watch = watch
        self.events: dict[str, Event] = {}
        self.promised: dict[bool, dict[str, int]] = {}  # the states that each marker covers
        self._ended: set[str] = set()
        self._number = 0
        self._whole = True  # whether `sync` would report nothing new
        self._synced = False

    def ask(self, key: int) -> None:
        name = str(key)
        if name in self._ended:
            self.again(key)
        else:
            self._put(event(name, group=self._next()))

    def end(self, key: int, payload: Payload | None) -> None:
        name = str(key)
        if name not in self._ended or name in self.events:
            self._put(answered(event(name, group=self._next()), payload))
            self._ended.add(name)

    def again(self, key: int) -> None:
        """Put the current state again."""
        if str(key) in self.events:
            self.watch.put(self.events[str(key)])

    def stale(self, key: int) -> None:
        """Put a pending state, which is no longer true."""
        current = self.events.get(str(key))
        # A watch of pending events forgets resolved events.
        if current is not None and not current.pending and self.watch.selector.run_name is not None:
            self.watch.put(event(str(key), group="stale"))

    def remove(self, key: int) -> None:
        removed = self.events.pop(str(key), None)
        if removed is not None:
            self.watch.remove(removed)
            for states in self.promised.values():  # if it is created again, that is another one
                states.pop(str(key), None)

    def disconnect(self) -> None:
        if self._synced:
            self.watch.disconnect(DOWN)
            self._whole = False
        else:
            with pytest.raises(BackendUnavailable):
                self.watch.disconnect(DOWN)

    def sync(self) -> None:
        if not self._synced or not self._whole:
            current = {name: int(state.group or "") for name, state in self.events.items()}
            self.promised[self._synced] = current
        self._synced = self._whole = True
        self.watch.sync()

    def _put(self, state: Event) -> None:
        self.events[state.name] = state
        self.watch.put(state)

    def _next(self) -> str:
        self._number += 1
        return str(self._number)


@pytest.mark.parametrize("watched", [RUN, INBOX], ids=["run", "inbox"])
@given(steps=STEPS)
@example(steps=[("ask", 0), ("ask", 1), ("sync",), ("remove", 0), ("take", 1), ("ask", 0)])
@settings(max_examples=400)
def test_after_any_sequence_the_updates_add_up_to_the_current_state(
    watched: WatchSelector, steps: list[tuple[Any, ...]]
) -> None:
    watch = CoalescingQueue(watched)
    backend = SimulatedBackend(watch)
    picture = Picture()

    def take(count: float) -> None:
        while count and (note := watch.take()) is not None:
            count -= 1
            picture.apply(note)
            if isinstance(note, Synced) and watched is RUN:
                promised = backend.promised[note.again]
                for name in promised.keys() & backend.events.keys():
                    assert int(picture.named()[name].group or "") >= promised[name]

    for verb, *given_ in steps:
        act: Callable[..., None] = take if verb == "take" else getattr(backend, verb)
        act(*given_)
        marks = sum(not isinstance(key, str) for key in watch._queue)
        assert marks <= 3
        assert len(watch._queue) - marks <= 4
    backend.sync()
    take(math.inf)
    assert picture.synced
    assert not picture.disconnected
    assert not watch._queue
    assert watch._bytes == 0
    true, reported = backend.events, picture.named()
    if watched is INBOX:
        true, reported = only_pending(true), only_pending(reported)
    assert {name: repr(state) for name, state in reported.items()} == {
        name: repr(state) for name, state in true.items()
    }


def only_pending(events: dict[str, Event]) -> dict[str, Event]:
    return {name: state for name, state in events.items() if state.pending}
