"""Every request has exactly one answer."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rpc.fake_server import FakeServer, request, run_pending

ID = st.integers(0, 6)
METHOD = st.sampled_from(["now", "work", "wait", "write", "future", "fail", "crash", "gone"])
TIMEOUT = st.sampled_from([None, None, None, 1e-9, 60.0])
STEP = st.one_of(
    st.tuples(st.just("ask"), ID, METHOD, TIMEOUT),
    st.tuples(st.just("cancel"), ID),
    st.tuples(st.just("release"), ID),
    st.tuples(st.just("batch"), st.lists(st.tuples(ID, METHOD, TIMEOUT), min_size=1, max_size=4)),
    st.tuples(st.just("garbage"), st.sampled_from([b"{", b"[]", b"[1", b"1", b'{"id":77'])),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("run"), st.integers(1, 3)),
)


def build_request(request_id: Any, method: str, timeout: float | None) -> dict[str, Any]:
    params = {} if timeout is None else {"timeoutSeconds": timeout}
    return request(request_id, method, **params)


@settings(max_examples=250)
@given(st.lists(STEP, max_size=40))
async def test_every_request_has_exactly_one_answer_whatever_happens(steps: list[Any]) -> None:
    server = FakeServer()
    server.request("first", "now")
    expected = 1
    named: Counter[str] = Counter()
    paused = False
    for step in steps:
        if step[0] == "ask":
            server.send(build_request(*step[1:]))
            expected += 1
            named[step[1]] += 1
        elif step[0] == "batch":
            server.send([build_request(*one) for one in step[1]])
            expected += len(step[1])
            named.update(one[0] for one in step[1])
        elif step[0] == "cancel":
            server.cancel(step[1])
        elif step[0] == "release":
            if json.dumps(step[1]) in server.gates:
                server.release(step[1])
        elif step[0] == "garbage":
            server.connection.data_received(step[1] + b"\n")
            expected += 1
        elif step[0] == "pause" and step[1] != paused:
            paused = step[1]
            (server.connection.pause_writing if paused else server.connection.resume_writing)()
        elif step[0] == "run":
            for _ in range(step[1]):
                await asyncio.sleep(0)
    if paused:
        server.connection.resume_writing()
    while server.tasks or server.connection._decoder.next() is not None:
        for task in list(server.tasks):
            task.cancel()
        await run_pending()
    await run_pending()
    answers: list[Any] = []
    for answer in server.answers():
        answers += answer if isinstance(answer, list) else [answer]
    assert len(answers) == expected
    for request_id, count in Counter(answer["id"] for answer in answers).items():
        assert request_id in (None, "first", 77) or count <= named[request_id]
    assert all(write.ends for write in server.writes)
