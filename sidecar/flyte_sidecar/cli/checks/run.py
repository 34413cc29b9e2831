"""Runs checks one after the other, each for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from flyte_sidecar.backends.flyte.auth.stores.daemon_calls import DaemonCalls
from flyte_sidecar.cli.checks.finding import Finding, failed

T = TypeVar("T")

Check = tuple[str, Callable[[], Awaitable[Sequence[Finding]]]]
"""The name of a check, and what performs it."""

CHECK_TIMEOUT = 15.0
"""Seconds after which a check has failed."""


def found(*findings: Finding) -> Callable[[], Awaitable[Sequence[Finding]]]:
    """Return a check that returns what was found before."""

    async def check() -> Sequence[Finding]:
        return findings

    return check


async def run_checks(
    checks: Iterable[Check], timeout: float = CHECK_TIMEOUT
) -> AsyncIterator[Finding]:
    """Yield what the checks find, as soon as each of them ends."""
    for name, check in checks:
        try:
            async with asyncio.timeout(timeout):
                findings = await check()
        except TimeoutError:
            advice = "try again; if it stays so, the disk, network or service behind it hangs"
            findings = [failed(name, f"no result within {timeout:g} s", advice)]
        for finding in findings:
            yield finding


async def in_thread(function: Callable[[], T]) -> T:
    """Return the result of a call that may block for ever, in a thread that nothing waits for."""
    return await DaemonCalls("check").run(function, CHECK_TIMEOUT)
