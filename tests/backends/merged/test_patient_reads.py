"""Reads that time out: they go on, and the next request of the same continues them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flyte_sidecar.backends.merged import patient_reads
from flyte_sidecar.backends.merged.patient_reads import MAX_LEFT, PatientReads
from flyte_sidecar.errors import BackendUnavailable, ShuttingDown
from flyte_sidecar.events.attended_logins import AttendedLogins
from flyte_sidecar.events.model import ANY_SCOPE, Event
from tests.backends.flyte.scenarios import until
from tests.backends.merged.conftest import DOWN, FAST, HERE, THERE, MergedHarness
from tests.contract.harness import BackendClient, settle

SHORT = 0.01
LONG = 3600.0


class Slow:
    """Reads that end when a test decides.

    Attributes
    ----------
    results
        What each read returns or raises, as soon as it is set.
    """

    def __init__(self) -> None:
        self.results: list[asyncio.Future[str]] = []

    async def __call__(self) -> str:
        self.results.append(asyncio.get_running_loop().create_future())
        return await self.results[-1]


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
async def reads() -> AsyncIterator[PatientReads]:
    reads = PatientReads(SHORT, None)
    yield reads
    await reads.close()


async def leave(reads: PatientReads, slow: Slow, key: Any = "page") -> None:
    """Let one read time out."""
    reads.timeout = SHORT
    with pytest.raises(TimeoutError):
        await reads.read("flyte", key, slow)
    reads.timeout = LONG


async def test_a_read_that_has_timed_out_is_continued_until_it_responds(
    reads: PatientReads, slow: Slow
) -> None:
    await leave(reads, slow)
    await leave(reads, slow)
    slow.results[0].set_result("found")
    assert await reads.read("flyte", "page", slow) == "found"
    assert len(slow.results) == 1
    again = asyncio.ensure_future(reads.read("flyte", "page", slow))
    await until(lambda: len(slow.results) == 2)  # the result is used once
    slow.results[1].set_result("newer")
    assert await again == "newer"


async def test_only_the_same_read_of_the_same_backend_is_continued(
    reads: PatientReads, slow: Slow
) -> None:
    await leave(reads, slow)
    others = [
        asyncio.ensure_future(reads.read(name, key, slow))
        for name, key in (("flyte", "other"), ("local", "page"))
    ]
    await until(lambda: len(slow.results) == 3)
    for result in slow.results[1:]:
        result.set_result("other")
    assert await asyncio.gather(*others) == ["other", "other"]


async def test_of_equal_reads_that_time_out_together_the_first_is_continued(
    reads: PatientReads, slow: Slow
) -> None:
    two = [reads.read("flyte", "page", slow) for _ in range(2)]
    assert [type(each) for each in await asyncio.gather(*two, return_exceptions=True)] == [
        TimeoutError,
        TimeoutError,
    ]
    await until(slow.results[1].cancelled)
    assert not slow.results[0].cancelled()


async def test_a_read_that_was_running_during_a_write_is_not_continued(
    reads: PatientReads, slow: Slow
) -> None:
    reading = asyncio.ensure_future(reads.read("flyte", "page", slow))
    await until(lambda: len(slow.results) == 1)
    reads.end_write("flyte")
    with pytest.raises(TimeoutError):
        await reading
    reads.timeout = LONG
    again = asyncio.ensure_future(reads.read("flyte", "page", slow))
    await until(lambda: len(slow.results) == 2)
    slow.results[1].set_result("with the write")
    assert await again == "with the write"


async def test_a_failure_is_not_kept(reads: PatientReads, slow: Slow) -> None:
    await leave(reads, slow)
    slow.results[0].set_exception(BackendUnavailable("unplugged"))
    await settle()
    again = asyncio.ensure_future(reads.read("flyte", "page", slow))
    await until(lambda: len(slow.results) == 2)
    slow.results[1].set_result("found")
    assert await again == "found"


async def test_an_old_result_is_not_used(
    reads: PatientReads, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    await leave(reads, slow)
    slow.results[0].set_result("old")
    await settle()
    monkeypatch.setattr(patient_reads, "RESULT_LIFETIME", -1.0)
    again = asyncio.ensure_future(reads.read("flyte", "page", slow))
    await until(lambda: len(slow.results) == 2)
    slow.results[1].set_result("new")
    assert await again == "new"


async def test_few_reads_are_left_and_none_after_the_end(reads: PatientReads, slow: Slow) -> None:
    for key in range(MAX_LEFT + 1):
        await leave(reads, slow, key)
    await until(slow.results[0].cancelled)
    assert not any(result.cancelled() for result in slow.results[1:])
    reading = asyncio.ensure_future(reads.read("flyte", "another", slow))
    await until(lambda: len(slow.results) == MAX_LEFT + 2)
    await reads.close()
    assert all(result.cancelled() for result in slow.results)
    with pytest.raises(ShuttingDown):
        await reading


async def test_a_request_that_is_cancelled_ends_its_read(reads: PatientReads, slow: Slow) -> None:
    reads.timeout = LONG
    reading = asyncio.ensure_future(reads.read("flyte", "page", slow))
    await until(lambda: len(slow.results) == 1)
    reading.cancel()
    await until(slow.results[0].cancelled)


async def test_the_timeout_begins_when_the_person_at_the_terminal_has_logged_in(
    reads: PatientReads, slow: Slow
) -> None:
    logins = AttendedLogins()
    attended = PatientReads(SHORT, logins)
    reading = asyncio.ensure_future(attended.read("flyte", "page", slow))
    logins.required(None)
    for key in range(3):  # so that the timeout has passed
        await leave(reads, Slow(), key)
    assert not reading.done()
    logins.ended(None, None)
    with pytest.raises(TimeoutError):
        await reading
    await attended.close()


# Over the backends.


@pytest.mark.parametrize("limit", [100, 1])
@pytest.mark.parametrize("timing", [FAST])
async def test_a_deployment_that_responds_late_is_listed_by_the_next_request(
    limit: int, client: BackendClient, both: MergedHarness
) -> None:
    here, there = await client.ask(HERE.run("r"), "q"), await client.ask(THERE.run("r"), "q")
    calls: list[asyncio.Event] = []
    original = both.flyte.pending

    async def pending(query: Any) -> Any:
        calls.append(released := asyncio.Event())
        await released.wait()
        return await original(query)

    both.flyte.pending = pending  # type: ignore[method-assign]

    async def listed() -> list[Event]:
        return (await client.pending_page(ANY_SCOPE)).events

    page = await client.pending_page(ANY_SCOPE, limit=limit)
    assert page.events == [here]
    assert [each.error.message for each in page.unavailable] == [
        "the Flyte deployment has not responded yet, after 0.5 s"
    ]
    both.merged._patient_reads.timeout = LONG
    calls[0].set()
    assert await listed() == [here, there]
    assert len(calls) == 1


@pytest.mark.parametrize("timing", [FAST])
async def test_no_read_outlives_the_backends(client: BackendClient, both: MergedHarness) -> None:
    await client.ask(HERE.run("r"), "q")
    both.flyte.switch(None, hangs=True)
    assert len((await client.pending_page(ANY_SCOPE)).unavailable) == 1
    [left] = both.merged._patient_reads._left.values()
    await both.merged.close()
    assert left.task.cancelled()


@pytest.mark.parametrize("timing", [FAST])
async def test_a_read_from_before_a_write_is_not_continued(
    client: BackendClient, both: MergedHarness
) -> None:
    events = [await client.ask(scope.run("r"), "q") for scope in (HERE, THERE)]
    both.flyte.switch(None, hangs=True)
    assert len((await client.pending_page(ANY_SCOPE)).unavailable) == 1
    assert len(both.merged._patient_reads._left) == 1
    await client.answer(events[0])
    assert len(both.merged._patient_reads._left) == 1  # no write to the deployment
    both.flyte.switch(None)
    await client.answer(events[1])
    assert not both.merged._patient_reads._left


@pytest.mark.parametrize("timing", [FAST])
async def test_the_name_of_a_backend_that_fails_is_in_its_error(
    client: BackendClient, both: MergedHarness
) -> None:
    both.flyte.switch(DOWN)
    both.local.switch(None, hangs=True)
    with pytest.raises(BackendUnavailable, match="the embedded store has not responded yet"):
        await client.pending_page(ANY_SCOPE)
