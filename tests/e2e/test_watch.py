"""The notifications of a watch, and what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.client import Client
from tests.conftest import ROOT, TEST_TIMEOUT
from tests.e2e.conftest import Spawn
from tests.e2e.process import kind, request
from tests.e2e.watcher import Notifications, Watcher, create, reason

# Notifications.


def test_current_events_are_reported_first_and_then_changes(watcher: Watcher) -> None:
    watcher.call("events.create", **create("stands"))
    watched = watcher.watch(1, runName="r")
    watcher.receive_until(lambda: watched.synced)
    assert watched.changes == [("created", "stands")]
    made = watcher.call("events.create", **create("q", expectedType="int"))
    watcher.receive_until(lambda: watched.pending() == {"stands", "q"})
    assert watched.named()["q"] == made
    answered = watcher.call("events.signal", **create("q"), payload=5)
    watcher.receive_until(lambda: watched.pending() == {"stands"})
    assert watched.named()["q"] == answered
    aborted = watcher.call("events.abort", **create("stands"), reason="why")
    watcher.receive_until(lambda: watched.named()["stands"] == aborted)
    ends = [("created", "q"), ("resolved", "q"), ("resolved", "stands")]
    assert watched.changes[1:] == ends
    assert watched.sequence == 5


def test_a_notification_has_the_documented_members(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.call("events.create", **create("q"))
    sidecar.request(1, "events.watch", watch="ü", runName="r")
    changed, synced = sidecar.answers(2)
    assert changed.keys() == synced.keys() == {"jsonrpc", "method", "params"}
    assert changed["params"].keys() == {"watch", "sequence", "change", "event"}
    assert (changed["params"]["watch"], changed["params"]["sequence"]) == ("ü", 1)
    params = {"watch": "ü", "sequence": 2}
    assert synced == {"jsonrpc": "2.0", "method": "events.synced", "params": params}


def test_each_watch_has_its_own_sequence(watcher: Watcher) -> None:
    watcher.call("events.create", **create("q"))
    run = watcher.watch(1, "run", runName="r")
    inbox = watcher.watch(2, "inbox")
    under = watcher.watch(3, "under", runName="r", parent="a1")
    unknown = watcher.watch(4, "unknown", runName="nobody")
    every = (run, inbox, under, unknown)
    watcher.receive_until(lambda: all(watched.synced for watched in every))
    watcher.call("events.create", **create("p", parent="a1"))
    watcher.call("events.create", **create("other", "s"))
    watcher.receive_until(lambda: inbox.pending() == {"q", "p", "other"})
    watcher.call("events.signal", **create("p"), payload=True)
    watcher.receive_until(
        lambda: all("resolved" in dict(watched.changes) for watched in (run, inbox, under))
    )
    assert [watched.sequence for watched in every] == [4, 5, 3, 1]


def test_payloads_are_reported_in_their_wire_form(watcher: Watcher) -> None:
    watched = watcher.watch(1, runName="r")
    answers: dict[str, Any] = {"int": 2**60, "float": "NaN", "str": "é\0", "bool": False}
    for word, payload in answers.items():
        watcher.call("events.create", **create(word, expectedType=word))
        watcher.call("events.signal", **create(word), payload=payload)
    watcher.receive_until(lambda: len(watched.named()) == 4 and not watched.pending())
    payloads = {name: event["payload"] for name, event in watched.named().items()}
    assert payloads == {**answers, "int": str(2**60)}


def test_a_watch_sees_what_was_written_before_it_in_one_write(watcher: Watcher) -> None:
    watched = watcher.expect(4)
    watcher.process.send(
        request(1, "events.create", **create("q")),
        request(2, "events.create", **create("p")),
        request(3, "events.signal", **create("q"), payload=True),
        request(4, "events.watch", watch="w", runName="r"),
        request(5, "events.create", **create("after")),
    )
    watcher.receive_until(lambda: watched.synced)
    assert {"q", "p"} <= watched.named().keys()
    assert not watched.named()["q"]["pending"]
    watcher.receive_until(lambda: watched.pending() == {"p", "after"})
    assert ("resolved", "q") not in watched.changes


def test_two_sidecars_on_one_store_report_the_same(spawn: Spawn) -> None:
    watchers = [Watcher(spawn()) for _ in range(2)]
    feeds = [watcher.watch(1, runName="r") for watcher in watchers]
    inboxes = [watcher.watch(2, "inbox") for watcher in watchers]
    for place in range(20):
        by, other = watchers[place % 2], watchers[1 - place % 2]
        by.call("events.create", **create(f"q{place}"))
        for watcher, watched in zip(watchers, feeds, strict=True):
            watcher.until_pending(watched, {f"q{place}"})
        other.call("events.signal", **create(f"q{place}"), payload=True)
        for watcher, watched in zip(watchers, feeds, strict=True):
            watcher.until_pending(watched, set())
    for watcher, inbox in zip(watchers, inboxes, strict=True):
        watcher.until_pending(inbox, set())
    assert len(feeds[0].events) == 20
    assert feeds[0].events == feeds[1].events


def test_a_sidecar_reports_the_expiry_of_an_event_of_another_one(
    watcher: Watcher, spawn: Spawn
) -> None:
    run, inbox = watcher.watch(1, "run", runName="r"), watcher.watch(2, "inbox")
    watches = (run, inbox)
    watcher.receive_until(lambda: run.synced and inbox.synced)
    creator = spawn()
    for attempt in range(8):  # on a slow machine a short life ends before the watches see it
        name, marker = f"q{attempt}", f"marker{attempt}"
        made = creator.call("events.create", **create(name), expiresInSeconds=0.5 * 2**attempt)
        watcher.receive_until(lambda name=name: name in run.named() and name not in run.pending())
        creator.call("events.create", **create(marker))
        watcher.receive_until(
            lambda name=name, marker=marker: marker in inbox.named() and name not in inbox.pending()
        )
        if all(("resolved", name) in watched.changes for watched in watches):
            break
    else:
        pytest.fail("no event lived long enough to be seen")
    for watched in watches:
        assert [change for change, of in watched.changes if of == name] == ["created", "resolved"]
        event = watched.named()[name]
        assert (event["phase"], event["endedAt"]) == ("TIMED_OUT", made["expiresAt"])


def test_what_is_pending_and_the_runs_are_listed(watcher: Watcher) -> None:
    events = [watcher.call("events.create", **create("q", run)) for run in ("r1", "r2")]
    answered = watcher.call("events.create", **create("answered", "r1"))
    watcher.call("events.signal", **create("answered", "r1"), payload=True)
    assert watcher.call("events.pending") == {
        "events": events,
        "nextCursor": None,
        "unavailable": [],
    }
    first = watcher.call("events.pending", limit=1)
    rest = watcher.call("events.pending", cursor=first["nextCursor"])
    assert [*first["events"], *rest["events"]] == events
    place = {"org": None, "project": "local", "domain": "local", "phase": None}
    runs = watcher.call("runs.list")
    assert runs["nextCursor"] is None
    made = [run.pop("createdAt") for run in runs["runs"]]
    assert made == sorted(made, reverse=True)
    assert runs["runs"] == [{"runName": run, **place, "pendingEvents": 1} for run in ("r2", "r1")]
    watcher.call("events.signal", **create("q", "r2"), payload=True)
    (waiting,) = watcher.call("runs.list", pendingOnly=True)["runs"]
    assert waiting["runName"] == answered["runName"] == "r1"
    for method in ("events.pending", "runs.list"):
        assert next(iter(watcher.call(method, project="elsewhere").values())) == []
        for wrong in ({"limit": 0}, {"limit": 1001}, {"runName": "r"}, {"cursor": 1}):
            watcher.process.request(1, method, **wrong)
            answer = watcher.answer(1)
            assert answer["error"]["data"]["path"] == f"/{next(iter(wrong))}"
        watcher.process.request(1, method, cursor="x")
        assert kind(watcher.answer(1)) == "cursor_expired"


async def test_notifications_have_the_framing_of_the_client(store: Path) -> None:
    watched = Notifications()
    news = asyncio.Event()

    def receive(method: str, params: Any) -> None:
        watched.receive(method, params)
        news.set()

    async with Client.spawn("--store", str(store), cwd=ROOT) as client:
        client.on_notification = receive
        watching = asyncio.ensure_future(client.request("events.watch", watch="w"))
        await client.request("events.create", **create("q"))
        async with asyncio.timeout(TEST_TIMEOUT):
            while not watched.pending():
                await news.wait()
                news.clear()
        await client.request("events.unwatch", watch="w")
        assert await watching == {"reason": "cancelled"}


# What is refused.


def test_a_duplicate_name_is_refused_and_the_open_watch_continues(watcher: Watcher) -> None:
    watched = watcher.watch(1, runName="r")
    watcher.receive_until(lambda: watched.synced)
    watcher.process.request(2, "events.watch", watch="w")
    answer = watcher.answer(2)
    assert kind(answer) == "invalid_params"
    assert answer["error"]["data"]["path"] == "/watch"
    watcher.call("events.create", **create("q"))
    watcher.receive_until(lambda: watched.pending() == {"q"})
    assert watcher.counters() == (0, 1)


def test_the_second_of_two_pipelined_watches_of_one_name_is_refused(watcher: Watcher) -> None:
    watched = watcher.expect(1)
    watcher.process.send(*(request(n, "events.watch", watch="w", runName="r") for n in (1, 2)))
    assert kind(watcher.answer(2)) == "invalid_params"
    watcher.receive_until(lambda: watched.synced)


def test_the_id_of_an_open_watch_is_in_flight(watcher: Watcher) -> None:
    watched = watcher.watch(7, runName="r")
    watcher.receive_until(lambda: watched.synced)
    watcher.process.request(7, "events.watch", watch="another")
    answer = watcher.answer(None)
    assert (kind(answer), answer["error"]["data"]["id"]) == ("invalid_request", 7)
    watcher.call("events.create", **create("q"))
    watcher.until_pending(watched, {"q"})


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({}, "/watch"),
        ({"watch": None}, "/watch"),
        ({"watch": 1}, "/watch"),
        ({"watch": "w", "runName": 1}, "/runName"),
        ({"watch": "w", "parent": []}, "/parent"),
        ({"watch": "w", "phases": ["PAUSED"]}, "/phases"),
        ({"watch": "w", "timeoutSeconds": 0}, "/timeoutSeconds"),
    ],
)
def test_invalid_params_open_no_watch(watcher: Watcher, params: dict[str, Any], path: str) -> None:
    watcher.process.request(1, "events.watch", **params)
    answer = watcher.answer(1)
    assert kind(answer) == "invalid_params"
    assert answer["error"]["data"]["path"] == path
    assert watcher.counters() == (0, 0)


def test_a_watch_is_not_allowed_in_a_batch(watcher: Watcher) -> None:
    watcher.process.send(
        [request(1, "events.watch", watch="w"), request(2, "events.unwatch", watch="w")]
    )
    array = watcher.process.answer()
    assert {answer["id"]: kind(answer) for answer in array} == {1: "invalid_request", 2: "result"}
    assert watcher.counters() == (0, 0)


def test_a_watch_as_a_notification_does_nothing(watcher: Watcher) -> None:
    opening = {"jsonrpc": "2.0", "method": "events.watch", "params": {"watch": "w"}}
    watcher.process.send(opening, opening)
    assert watcher.counters() == (0, 0)
    watched = watcher.watch(1)
    watcher.receive_until(lambda: watched.synced)


def test_unwatch_as_a_notification_ends_the_watch(watcher: Watcher) -> None:
    watched = watcher.watch(1)
    watcher.receive_until(lambda: watched.synced)
    closing = {"jsonrpc": "2.0", "method": "events.unwatch", "params": {"watch": "w"}}
    watcher.process.send(closing)
    assert reason(watcher.answer(1)) == "cancelled"


def test_the_status_counts_waits_and_watches(watcher: Watcher) -> None:
    watcher.call("events.create", **create("q"))
    feeds = [watcher.watch(place, f"w{place}") for place in range(3)]
    for place in range(10, 12):
        watcher.process.request(place, "events.wait", **create("q"))
    assert watcher.counters() == (2, 3)
    watcher.call("events.unwatch", watch="w1")
    assert watcher.counters() == (2, 2)
    watcher.call("events.signal", **create("q"), payload=True)
    for place in range(10, 12):
        watcher.answer(place)
    assert watcher.counters() == (0, 2)
    watcher.receive_until(lambda: not any(watched.pending() for watched in feeds[::2]))
