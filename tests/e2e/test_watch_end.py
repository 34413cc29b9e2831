"""How watches end: by the client, with the sidecar, and with the store."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.process import Process, kind, request
from tests.e2e.watcher import Watcher, create, reason

EXIT = {"jsonrpc": "2.0", "method": "exit"}


@pytest.fixture
def watcher(spawn: Spawn) -> Iterator[Watcher]:
    watcher = Watcher(spawn())
    yield watcher
    assert watcher.process.stderr_text() == ""


# By the client.


@pytest.mark.parametrize("how", ["unwatch", "cancel"])
def test_the_client_can_end_a_watch_and_use_its_name_again(watcher: Watcher, how: str) -> None:
    watcher.call("events.create", **create("q"))
    for turn in range(3):
        watched = watcher.watch(f"watch {turn}", runName="r")
        watcher.until_pending(watched, {"q", *(f"more{one}" for one in range(turn))})
        end(watcher.process, f"watch {turn}", how)
        if how == "unwatch":
            assert watcher.answer("end")["result"] is None
        assert reason(watcher.answer(f"watch {turn}")) == "cancelled"
        watcher.call("events.create", **create(f"more{turn}"))
        assert len(watched.events) == turn + 1
    assert watcher.counters() == (0, 0)


def end(process: Process, request_id: Any, how: str) -> None:
    process.send(ending(request_id, how))


def ending(request_id: Any, how: str) -> dict[str, Any]:
    if how == "unwatch":
        return request("end", "events.unwatch", watch="w")
    return {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": request_id}}


def test_unwatch_is_answered_after_the_watch(spawn: Spawn) -> None:
    sidecar = spawn()
    sidecar.request(1, "events.watch", watch="w")
    sidecar.request(2, "events.unwatch", watch="w")
    answers = [message for message in sidecar.answers(2) if "id" in message]
    while len(answers) < 2:
        answers.append(sidecar.answer())
    assert [answer["id"] for answer in answers] == [1, 2]


@pytest.mark.parametrize("how", ["unwatch", "cancel"])
def test_a_watch_that_is_ended_in_the_same_chunk_is_answered_once(
    watcher: Watcher, how: str
) -> None:
    watcher.call("events.create", **create("q"))
    for turn in range(20):
        request_id = f"watch {turn}"
        watcher.expect(request_id)
        opening = request(request_id, "events.watch", watch="w", runName="r")
        watcher.process.send(opening, ending(request_id, how))
        assert reason(watcher.answer(request_id)) == "cancelled"
        if how == "unwatch":
            assert watcher.answer("end")["result"] is None
    assert watcher.counters() == (0, 0)


def test_unwatch_without_an_open_watch_is_answered(watcher: Watcher) -> None:
    assert watcher.call("events.unwatch", watch="nobody's") is None


def test_unwatch_does_not_end_a_later_watch(watcher: Watcher) -> None:
    watched = watcher.expect(2)
    watcher.process.send(
        request(1, "events.unwatch", watch="w"), request(2, "events.watch", watch="w", runName="r")
    )
    assert watcher.answer(1)["result"] is None
    watcher.receive_until(lambda: watched.synced)
    watcher.call("events.create", **create("q"))
    watcher.receive_until(lambda: watched.pending() == {"q"})


def test_unwatch_ends_no_other_watch(watcher: Watcher) -> None:
    first, second = watcher.watch(1, "first", runName="r"), watcher.watch(2, "second", runName="r")
    watcher.receive_until(lambda: first.synced and second.synced)
    watcher.call("events.unwatch", watch="first")
    watcher.call("events.create", **create("q"))
    watcher.receive_until(lambda: second.pending() == {"q"})
    assert first.events == {}


def test_a_watch_whose_timeout_passes_ends_with_an_error(watcher: Watcher) -> None:
    for turn in range(8):  # on a slow machine a short timeout passes before all is watched
        watched = watcher.watch(turn, runName="r", timeoutSeconds=0.1 * 2**turn)
        answer = watcher.answer(turn)
        assert kind(answer) == "deadline_exceeded"
        assert "outcome" not in answer["error"]["data"]
        watcher.call("events.create", **create(f"q{turn}"))
        if turn and watched.synced:
            break
    else:
        pytest.fail("no watch was synced before its deadline")
    long = watcher.watch("long", runName="r", timeoutSeconds=1e6)
    watcher.receive_until(lambda: long.pending() == {f"q{place}" for place in range(turn + 1)})
    assert watcher.counters() == (0, 1)


def test_shutdown_ends_watches_with_their_result_and_is_answered_last(watcher: Watcher) -> None:
    feeds = [watcher.watch(1, "run", runName="r"), watcher.watch(2, "all")]
    watcher.receive_until(lambda: all(watched.synced for watched in feeds))
    watcher.process.request(3, "events.wait", **create("q"))
    watcher.process.request(4, "shutdown")
    watcher.receive_until(lambda: 4 in watcher._answers)
    assert [reason(watcher.answer(request_id)) for request_id in (1, 2)] == ["shutdown"] * 2
    watcher.process.send(EXIT)
    assert watcher.read_all().keys() == {3, 4}
    assert watcher.process.status() == 0


@pytest.mark.posix
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_watches_with_their_result(watcher: Watcher, how: signal.Signals) -> None:
    feeds = [watcher.watch(1, runName="r"), watcher.watch(2, "timed", timeoutSeconds=1e6)]
    watcher.receive_until(lambda: all(watched.synced for watched in feeds))
    watcher.process.popen.send_signal(how)
    answers = watcher.read_all()
    assert {request_id: reason(answers[request_id]) for request_id in answers} == {
        1: "shutdown",
        2: "shutdown",
    }
    assert watcher.process.status() == 0


@pytest.mark.parametrize("at_once", [False, True])
def test_the_end_of_input_ends_watches_with_their_result(watcher: Watcher, at_once: bool) -> None:
    watcher.call("events.create", **create("q"))
    watched, inbox = watcher.watch(1, runName="r"), watcher.watch(2, "inbox")
    if not at_once:
        watcher.receive_until(lambda: watched.synced and inbox.synced)
    watcher.process.end_input()
    answers = watcher.read_all()
    assert {request_id: reason(answers[request_id]) for request_id in answers} == {
        1: "shutdown",
        2: "shutdown",
    }
    assert watcher.process.status() == 0


def test_a_watch_ends_with_the_process_when_its_reader_is_gone(watcher: Watcher) -> None:
    watched = watcher.watch(1)
    watcher.receive_until(lambda: watched.synced)
    watcher.process.stop_reading()
    assert watcher.process.status() == 0


# With the store.


def test_a_file_that_is_not_a_store_ends_a_watch_with_an_error(spawn: Spawn, store: Path) -> None:
    store.write_text("something else entirely")
    watcher = Watcher(spawn())
    watcher.watch(1)
    answer = watcher.answer(1)
    assert kind(answer) == "store_unavailable"
    assert answer["error"]["data"]["reason"] == "not_a_store"
    assert watcher.counters() == (0, 0)


def test_a_store_that_is_gone_ends_its_watches_with_an_error(watcher: Watcher, store: Path) -> None:
    watcher.call("events.create", **create("q"))
    feeds = [watcher.watch(1, "run", runName="r"), watcher.watch(2, "inbox")]
    watcher.receive_until(lambda: all(watched.synced for watched in feeds))
    os.unlink(store)
    for request_id in (1, 2):
        answer = watcher.answer(request_id)
        assert kind(answer) == "store_unavailable"
        assert answer["error"]["data"]["reason"] == "replaced"
    watched = watcher.watch(3)
    watcher.receive_until(lambda: watched.synced)
    assert watched.events == {}
