"""Very many watches, and clients that do not read."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import Spawn
from tests.e2e.process import kind, request
from tests.e2e.test_back_pressure import MIB, resident
from tests.e2e.watcher import Watcher, create, reason

Write = Callable[[list[Any]], list[Any]]


def test_one_open_request_too_many_is_refused(watcher: Watcher) -> None:
    watcher.call("events.create", **create("q"))
    half = 5000
    feeds = [watcher.expect(place, f"w{place}") for place in range(half)]
    messages: list[Any] = [
        request(place, "events.watch", watch=f"w{place}", runName="nobody") for place in range(half)
    ]
    messages += [request(half + place, "events.wait", **create("q")) for place in range(half)]
    feeding = threading.Thread(target=watcher.process.send, args=tuple(messages))
    feeding.start()
    watcher.receive_until(lambda: feeds[-1].synced)
    feeding.join()
    assert watcher.counters() == (half, half)
    assert all(watched.synced for watched in feeds)
    for method, params in (("events.watch", {"watch": "one more"}), ("events.wait", create("q"))):
        watcher.process.request("more", method, **params)
        answer = watcher.answer("more")
        assert (kind(answer), answer["error"]["data"]["limit"]) == ("too_many_waits", 2 * half)
    watcher.call("events.unwatch", watch="w0")
    watched = watcher.watch("more", "one more")
    watcher.receive_until(lambda: watched.pending() == {"q"})
    assert watcher.counters() == (half, half)
    watcher.call("events.signal", **create("q"), payload=True)
    watcher.receive_until(lambda: not watched.pending())
    for place in range(half, 2 * half):
        assert "result" in watcher.answer(place)
    assert watcher.counters() == (0, half)


@pytest.mark.posix
def test_very_many_watches_all_end_with_their_result(watcher: Watcher) -> None:
    count = 2000
    feeds = [watcher.expect(place, f"w{place}") for place in range(count)]
    opening = [
        request(place, "events.watch", watch=f"w{place}", runName="r") for place in range(count)
    ]
    feeding = threading.Thread(target=watcher.process.send, args=tuple(opening))
    feeding.start()
    watcher.receive_until(lambda: feeds[-1].synced)
    feeding.join()
    watcher.process.popen.send_signal(signal.SIGTERM)
    answers = watcher.read_all()
    assert len(answers) == count
    assert {reason(answer) for answer in answers.values()} == {"shutdown"}
    assert watcher.process.status() == 0


@pytest.mark.parametrize("ended", [False, True])
def test_the_process_ends_when_its_reader_is_lost_while_notifications_are_queued(
    spawn: Spawn, ended: bool
) -> None:
    sidecar, other = spawn(), spawn()
    for place in range(20):
        other.call("events.create", **create(f"q{place}", description="x" * 200_000))
    sidecar.request(1, "events.watch", watch="w")
    sidecar.read(1)
    if ended:
        sidecar.end_input()
    sidecar.stop_reading()
    assert sidecar.status() == 0


@pytest.fixture
def written(spawn: Spawn) -> Write:
    """Send requests to another sidecar, and return the results."""
    sidecar = spawn()

    def write(messages: list[Any]) -> list[Any]:
        feeding = threading.Thread(target=sidecar.send, args=tuple(messages))
        feeding.start()
        answers = sidecar.answers(len(messages))
        feeding.join()
        return [answer["result"] for answer in answers]

    return write


def test_a_slow_reader_gets_the_latest_state_of_each_of_10_000_events(
    spawn: Spawn, written: Write
) -> None:
    count = 10_000
    names = [f"q{place}" for place in range(count)]
    written([request(n, "events.create", **create(n, expectedType="int")) for n in names])
    lists, watcher = spawn(), Watcher(spawn())
    run, inbox = watcher.watch(1, "run", runName="r"), watcher.watch(2, "inbox")
    watcher.wait_for_output()
    written([request(n, "events.signal", **create(n), payload=1) for n in names[: count // 2]])
    written([request(n, "events.create", **create(f"new {n}")) for n in names])
    written([request(n, "events.abort", **create(n)) for n in names[count // 2 :]])
    peak = resident(watcher.process.pid)
    written([request(n, "events.signal", **create(f"new {n}"), payload=True) for n in names[:-1]])
    peak = max(peak, resident(watcher.process.pid))
    true: dict[str, Any] = {}
    cursor = None
    while True:
        page = lists.call("events.list", runName="r", details=True, limit=1000, cursor=cursor)
        true |= {event["actionName"]: event for event in page["events"]}
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert len(true) == 2 * count
    last = f"new {names[-1]}"
    watcher.receive_until(
        lambda: len(run.events) == 2 * count and run.synced and run.pending() == {last}
    )
    peak = max(peak, resident(watcher.process.pid))
    assert run.events == true
    watcher.receive_until(lambda: inbox.synced and inbox.pending() == {last})
    assert run.sequence <= 1 + 2 * 2 * count
    print(f"{peak / resident(lists.pid):.2f} times what listing takes")  # noqa: T201
    assert peak < 3 * resident(lists.pid)


def test_changes_that_a_slow_reader_misses_are_not_kept(spawn: Spawn, written: Write) -> None:
    count = 200
    names = [f"q{place}" for place in range(count)]
    payload = "x" * MIB
    written([request(n, "events.create", **create(n, expectedType="str")) for n in names])
    watcher = Watcher(spawn())
    watched = watcher.watch(1, runName="r")
    watcher.until_pending(watched, set(names))
    before = peak = resident(watcher.process.pid)
    for start in range(0, count, 10):
        some = names[start : start + 10]
        written([request(n, "events.signal", **create(n), payload=payload) for n in some])
        peak = max(peak, resident(watcher.process.pid))
    watcher.until_pending(watched, set())
    peak = max(peak, resident(watcher.process.pid))
    print(f"{(peak - before) / MIB:.0f} MiB more")  # noqa: T201
    assert peak - before < 100 * MIB
    for event in watched.events.values():
        assert event["phase"] == "SUCCEEDED"
        assert event["payload"] == (None if event["partial"] else payload)
    assert watched.named()[names[0]]["payload"] == payload


@pytest.mark.posix
@pytest.mark.parametrize("how", ["signal", "input", "shutdown"])
def test_a_slow_reader_still_gets_the_end_of_its_watch(
    watcher: Watcher, written: Write, how: str
) -> None:
    many = [
        request(n, "events.create", **create(f"q{n}", description="x" * 1000)) for n in range(5000)
    ]
    written(many)
    watched = watcher.watch(1, runName="r")
    watcher.wait_for_output()
    if how == "signal":
        watcher.process.popen.send_signal(signal.SIGTERM)
    elif how == "input":
        watcher.process.end_input()
    else:
        watcher.process.request(2, "shutdown")
        watcher.process.end_input()
    answers = watcher.read_all()
    assert reason(answers[1]) == "shutdown"
    assert len(watched.events) == watched.sequence < 5000
    assert watcher.process.status() == 0


def test_a_slow_reader_can_end_its_watch(watcher: Watcher, written: Write) -> None:
    written([request(n, "events.create", **create(f"q{n}")) for n in range(5000)])
    watched = watcher.watch(1, runName="r")
    watcher.wait_for_output()
    watcher.process.request(2, "events.unwatch", watch="w")
    assert watcher.answer(2)["result"] is None
    assert reason(watcher.answer(1)) == "cancelled"
    assert watched.sequence > 0
    assert watcher.counters() == (0, 0)
