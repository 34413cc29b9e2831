"""A request sees the writes before it on its connection."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.e2e.process import Process, kind, request

NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), NAMES),
        st.tuples(st.just("signal"), NAMES, st.booleans()),
        st.tuples(st.just("abort"), NAMES),
        st.tuples(st.just("get"), NAMES),
        st.tuples(st.just("list")),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("order") / "events.db")
    yield process
    process.clear()


RUNS = itertools.count()


State = tuple[str, Any] | None
"""An event's phase and payload; None before it is created."""


class PipelineModel:
    """A model of the writes of a pipeline, in their order.

    A read may see what was written after it too, but never less than what came before.

    Attributes
    ----------
    states
        For each name the states that it has had, with the step that each began with.
    """

    def __init__(self) -> None:
        self.states: dict[str, list[tuple[int, State]]] = {name: [(-1, None)] for name in "abc"}

    def write(self, at: int, step: tuple[Any, ...]) -> tuple[str, State]:
        """Return the kind of the response, and the event in it."""
        verb, name, *given = step
        state = self.states[name][-1][1]
        if verb == "create":
            if state is not None:
                return "event_exists", None
            new = "PAUSED", None
        elif state is None:
            return "event_not_found", None
        elif verb == "abort":
            if state[0] == "SUCCEEDED":
                return "already_signalled", None
            new = "ABORTED", None
        else:
            if state[0] == "ABORTED":
                return "already_completed", None
            if state[0] == "SUCCEEDED" and state[1] is not given[0]:
                return "already_signalled", None
            new = "SUCCEEDED", given[0]
        self.states[name].append((at, new))
        return "result", new

    def may_be_seen(self, at: int, name: str) -> list[State]:
        """Return the states in which a read at a step may see an event."""
        states = self.states[name]
        first = max(n for n, (since, _) in enumerate(states) if since < at)
        return [state for _, state in states[first:]]


def check(steps: list[tuple[Any, ...]], answers: list[Any]) -> None:
    """Check the responses, in the order of the steps, against the model."""
    model = PipelineModel()
    for at, (step, answer) in enumerate(zip(steps, answers, strict=True)):
        if step[0] not in ("get", "list"):
            assert (kind(answer), shown(answer)) == model.write(at, step)
    for at, (step, answer) in enumerate(zip(steps, answers, strict=True)):
        if step[0] == "get":
            assert shown(answer) in model.may_be_seen(at, step[1])
        elif step[0] == "list":
            seen = {name: state for name, *state in shown(answer)}
            for name in "abc":
                state = tuple(seen[name]) if name in seen else None
                assert state in model.may_be_seen(at, name)


def build_request(request_id: int, run: str, step: tuple[Any, ...]) -> dict[str, Any]:
    verb, *given = step
    if verb == "list":
        return request(request_id, "events.list", runName=run, limit=1000, details=True)
    if verb == "signal":
        return request(request_id, "events.signal", runName=run, name=given[0], payload=given[1])
    return request(request_id, f"events.{verb}", runName=run, name=given[0])


def shown(answer: Any) -> Any:
    if "error" in answer:
        return None
    result = answer["result"]
    if result is None:
        return None
    if "events" in result:
        return [(event["name"], event["phase"], event["payload"]) for event in result["events"]]
    return result["phase"], result["payload"]


@settings(max_examples=150)
@given(STEPS)
def test_a_pipeline_takes_effect_in_order(sidecar: Process, steps: list[tuple[Any, ...]]) -> None:
    run = f"run{next(RUNS)}"
    sidecar.send(*(build_request(n, run, step) for n, step in enumerate(steps)))
    answers = {answer["id"]: answer for answer in sidecar.answers(len(steps))}
    check(steps, [answers[n] for n in range(len(steps))])


@settings(max_examples=50)
@given(STEPS.filter(bool))
def test_a_batch_takes_effect_in_order(sidecar: Process, steps: list[tuple[Any, ...]]) -> None:
    run = f"run{next(RUNS)}"
    sidecar.send([build_request(n, run, step) for n, step in enumerate(steps)])
    array = sidecar.answer()
    assert [one["id"] for one in array] == list(range(len(steps)))
    check(steps, array)


def test_requests_by_id_and_by_name_keep_their_order(sidecar: Process) -> None:
    run = f"run{next(RUNS)}"
    made = sidecar.call("events.create", runName=run, name="a")
    target = {"runName": run, "actionName": made["actionName"]}
    sidecar.send(
        request(1, "events.signal", **target, payload=True),
        request(2, "events.signal", runName=run, name="a", payload=False),
        request(3, "events.abort", **target),
        request(4, "events.get", **target),
    )
    answers = {answer["id"]: answer for answer in sidecar.answers(4)}
    kinds = [kind(answers[n]) for n in (1, 2, 3, 4)]
    assert kinds == ["result", "already_signalled", "already_signalled", "result"]
    assert answers[4]["result"]["payload"] is True


def test_a_wait_sees_the_event_created_before_it_and_delays_nobody(sidecar: Process) -> None:
    run = f"run{next(RUNS)}"
    event = {"runName": run, "name": "a"}
    sidecar.send(
        request(1, "events.create", **event),
        request(2, "events.wait", **event),
        request(3, "events.get", **event),
        request(4, "events.signal", **event, payload=True),
        request(5, "events.get", **event),
    )
    answers = {answer["id"]: answer for answer in sidecar.answers(5)}
    assert answers[2]["result"]["payload"] is True
    assert answers[3]["result"]["name"] == "a"
    assert answers[5]["result"]["pending"] is False
