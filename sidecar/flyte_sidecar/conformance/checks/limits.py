"""Limits: large messages, deep nesting, and clients that do not read."""

from __future__ import annotations

import time
from collections import Counter

from flyte_sidecar.conformance.check import Group
from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.expectations import expect_id, expect_one
from flyte_sidecar.conformance.failures import Violation, Warn
from flyte_sidecar.conformance.messages import compact, request_text
from flyte_sidecar.conformance.target import UNKNOWN_METHOD

LIMITS = Group("limits")

LARGE = 2 << 20
"""Bytes of a large message."""

DEPTH = 100_000
"""Arrays inside one another."""

UNREAD = 4000
"""Requests whose responses the client does not read at first; together, more than pipes hold."""

STALL_TIME = 0.5
"""Seconds after which a server that reads nothing waits for the client to read."""

UNREAD_PARAMS = '{"text":"%s"}' % ("x" * 1000)

MAX_GROWTH = 128 << 20
"""Bytes by which the memory of the server may grow while its responses are not read."""

IDLE_TIME = 0.5
"""Seconds in which the server has nothing to do."""

MAX_IDLE_CPU = 0.1
"""The part of a core that a server may need that has nothing to do."""


@LIMITS.should("large-message", f"a request of {LARGE >> 20} MiB is answered")
def _large_message(server: Connection) -> None:
    request_id = server.new_id()
    text = request_text(UNKNOWN_METHOD, f'{{"text":"{"x" * LARGE}"}}', request_id)
    expect_id(expect_one(server.exchange(text)), request_id)


@LIMITS.should("nesting", f"params of {DEPTH:,} nested arrays lead to one response")
def _nesting(server: Connection) -> None:
    params = "[" * DEPTH + "]" * DEPTH
    expect_one(server.exchange(request_text(UNKNOWN_METHOD, params, server.new_id())))


@LIMITS.should("unclosed", f"{DEPTH:,} opening brackets lead to one response")
def _unclosed(server: Connection) -> None:
    expect_one(server.exchange(b"[" * DEPTH))


@LIMITS.should("long-method", "a method name of 64 KiB is answered")
def _long_method(server: Connection) -> None:
    request_id = server.new_id()
    text = request_text("conformance/" + "x" * (64 << 10), "{}", request_id)
    expect_id(expect_one(server.exchange(text)), request_id)


@LIMITS.should("numbers", "numbers that no double represents lead to one response")
def _numbers(server: Connection) -> None:
    params = f"[1e400,-1e-400,{'9' * 5000}]"
    expect_one(server.exchange(request_text(UNKNOWN_METHOD, params, server.new_id())))


@LIMITS.must(
    "back-pressure",
    f"{UNREAD:,} requests are all answered, though the client reads later",
    source="JSON-RPC 5",
    is_fresh=True,
)
def _back_pressure(server: Connection) -> None:
    server.check_alive()
    before = server.process.memory()
    server.process.pause_reading()
    ids = [server.new_id() for _ in range(UNREAD)]
    server.send(*(request_text(UNKNOWN_METHOD, UNREAD_PARAMS, each) for each in ids))
    server.process.wait_until_stalled(STALL_TIME)
    grown = server.process.memory() - before
    server.process.resume_reading()
    found = server.collect(
        lambda responses: len(responses) >= UNREAD, server.target.startup_timeout
    )
    answers = Counter(compact(response.get("id")) for response in found)
    missing = sum(answers[each] == 0 for each in ids)
    if missing or len(found) != UNREAD:
        raise Violation(f"{missing} of {UNREAD:,} requests have no response; {len(found):,} came")
    server.check_alive()
    if grown > MAX_GROWTH:
        raise Warn(f"meanwhile, the memory of the server grows by {grown >> 20} MiB")


@LIMITS.should("idle", "a server without requests needs no CPU time")
def _idle(server: Connection) -> None:
    server.check_alive()
    deadline = time.monotonic() + server.target.startup_timeout
    while (used := _cpu_share(server)) > MAX_IDLE_CPU:  # of what was begun before
        if time.monotonic() > deadline:
            wait = server.target.startup_timeout
            raise Warn(f"after {wait:g} s, it still uses {used:.0%} of a core")


def _cpu_share(server: Connection) -> float:
    """Return the part of a core that the server uses meanwhile."""
    before, start = server.process.cpu_time(), time.monotonic()
    time.sleep(IDLE_TIME)
    return (server.process.cpu_time() - before) / (time.monotonic() - start)
