"""Checks run one after the other, for a limited time each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from flyte_sidecar.cli.checks.finding import Finding, ok
from flyte_sidecar.cli.checks.run import Check, found, in_thread, run_checks
from flyte_sidecar.errors import StoreBusy

pytestmark = pytest.mark.anyio


async def test_a_check_that_never_ends_fails_and_the_others_run() -> None:
    async def hang() -> Sequence[Finding]:
        await asyncio.sleep(3600)
        return []

    checks = [Check("slow", hang, 0.01), Check("later", found(ok("later", "")))]
    slow, later = [finding async for finding in run_checks(checks)]
    assert (slow.name, slow.status, slow.detail) == ("slow", "failed", "no result within 0.01 s")
    assert slow.advice
    assert later == ok("later", "")


async def test_a_check_that_blocks_for_ever_delays_nothing() -> None:
    released = threading.Event()

    async def block() -> Sequence[Finding]:
        await in_thread(released.wait)
        return []

    [finding] = [finding async for finding in run_checks([Check("disk", block, 0.01)])]
    assert finding.status == "failed"
    released.set()


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (StoreBusy("the store is locked"), "the store is locked"),
        (PermissionError(13, "Permission denied"), "[Errno 13] Permission denied"),
        (ValueError("s3cret"), "the check itself failed: ValueError"),
    ],
    ids=["of the contract", "of the system", "of the check"],
)
async def test_an_error_fails_only_its_own_check(error: Exception, detail: str) -> None:
    async def fail() -> Sequence[Finding]:
        raise error

    checks = [Check("broken", fail), Check("later", found(ok("later", "")))]
    broken, later = [finding async for finding in run_checks(checks)]
    assert (broken.status, broken.detail) == ("failed", detail)
    assert later.status == "ok"


async def test_what_a_check_has_found_is_reported_before_the_next_one_runs() -> None:
    started = asyncio.Event()

    async def second() -> Sequence[Finding]:
        started.set()
        return []

    checks = [Check("first", found(ok("first", ""))), Check("second", second)]
    async for finding in run_checks(checks):
        assert finding.name == "first"
        assert not started.is_set()
    assert started.is_set()
