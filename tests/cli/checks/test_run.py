"""Checks run one after the other, for a limited time each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from flyte_sidecar.cli.checks.finding import Finding, ok
from flyte_sidecar.cli.checks.run import found, in_thread, run_checks

pytestmark = pytest.mark.anyio


async def test_a_check_that_never_ends_fails_and_the_others_run() -> None:
    async def hang() -> Sequence[Finding]:
        await asyncio.sleep(3600)
        return []

    checks = [("slow", hang), ("later", found(ok("later", "")))]
    slow, later = [finding async for finding in run_checks(checks, timeout=0.01)]
    assert (slow.name, slow.status, slow.detail) == ("slow", "failed", "no result within 0.01 s")
    assert slow.advice
    assert later == ok("later", "")


async def test_a_check_that_blocks_for_ever_delays_nothing() -> None:
    released = threading.Event()

    async def block() -> Sequence[Finding]:
        await in_thread(released.wait)
        return []

    [finding] = [finding async for finding in run_checks([("disk", block)], timeout=0.01)]
    assert finding.status == "failed"
    released.set()


async def test_what_a_check_has_found_is_reported_before_the_next_one_runs() -> None:
    started = asyncio.Event()

    async def second() -> Sequence[Finding]:
        started.set()
        return []

    async for finding in run_checks([("first", found(ok("first", ""))), ("second", second)]):
        assert finding.name == "first"
        assert not started.is_set()
    assert started.is_set()
