"""The verbs `pending` and `list` on a deployment print each row as soon as it is known."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.cli.verbs import Environment, RunningVerb, Started, cells_of
from tests.e2e.deployment import SCOPE, scoped_options
from tests.fake_runservice.clock import Clock
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server


class Deployment:
    """A deployment with a run that responds, and a newer one that is held."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self.server = server
        server.model.ask("first-run", "deploy-to-production", prompt="Deploy?", **SCOPE)
        clock.pass_time(60)
        server.model.ask("second-run", "later", **SCOPE)
        server.model.ask("second-run", "latest", "str", action="z", **SCOPE)
        self.release = server.faults.held["second-run"] = threading.Event()


@pytest.fixture
def deployment() -> Any:
    clock = Clock()
    clock.pass_time(-120)
    with Server(Model("2.0.43", clock)) as server:
        deployment = Deployment(server, clock)
        yield deployment
        deployment.release.set()


@pytest.mark.parametrize("as_json", [False, True])
def test_the_first_event_is_printed_while_another_run_does_not_respond(
    as_json: bool, deployment: Deployment, env: Environment, started: Started
) -> None:
    json_option = ["--json"] if as_json else []
    options = scoped_options(deployment.server.endpoint)
    verb = RunningVerb(env, "pending", *options, *json_option)
    started.append(verb)
    if as_json:
        assert verb.message()["name"] == "deploy-to-production"
    else:
        headers, first = verb.line(), verb.line()
        assert cells_of(first)[:2] == ["first-run", "deploy-to-production"]
        assert cells_of(first)[-1] == "Deploy?"
    deployment.release.set()
    if as_json:
        assert [verb.message()["name"] for _ in range(2)] == ["later", "latest"]
    else:
        later = verb.line()
        assert cells_of(later)[:2] == ["second-run", "later"]
        assert later.index("Approve?") == first.index("Deploy?") == headers.index("PROMPT")
    assert verb.rest() == (0, "")


def test_no_call_is_made_twice_to_print_the_first_event_early(
    deployment: Deployment, env: Environment, started: Started
) -> None:
    deployment.release.set()
    verb = RunningVerb(env, "pending", *scoped_options(deployment.server.endpoint))
    started.append(verb)
    assert verb.rest() == (0, "")
    calls = [
        (method, request.run_id.name, json.dumps([*map(str, request.request.filters)]))
        for method, request, _ in deployment.server.requests
        if method == "ListActions"
    ]
    assert len(calls) == len({*calls})
    assert deployment.server.calls["ListRuns"] == 1
    assert deployment.server.calls["GetActionDetails"] == 3


def test_the_first_event_of_a_run_is_listed_while_another_does_not_respond(
    deployment: Deployment, env: Environment, started: Started
) -> None:
    deployment.server.faults.held = {"z": deployment.release}
    verb = RunningVerb(env, "list", "second-run", *scoped_options(deployment.server.endpoint))
    started.append(verb)
    headers, first = verb.line(), verb.line()
    assert cells_of(headers)[0] == "NAME"
    assert cells_of(first)[0] == "later"
    deployment.release.set()
    assert cells_of(verb.line())[0] == "latest"
    assert verb.rest() == (0, "")
    assert deployment.server.calls["GetActionDetails"] == 2
