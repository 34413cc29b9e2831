"""Runs checks one after the other, each for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from flyte_sidecar.backends.flyte.auth.stores.daemon_calls import DaemonCalls
from flyte_sidecar.cli.checks.finding import Finding, failed
from flyte_sidecar.errors import SidecarError

T = TypeVar("T")

CHECK_TIMEOUT = 15.0
"""Seconds after which most checks have failed."""


class Check(NamedTuple):
    """A check: its name, what performs it, and the seconds after which it has failed."""

    name: str
    perform: Callable[[], Awaitable[Sequence[Finding]]]
    timeout: float = CHECK_TIMEOUT


def found(*findings: Finding) -> Callable[[], Awaitable[Sequence[Finding]]]:
    """Return a check that returns what was found before."""

    async def check() -> Sequence[Finding]:
        return findings

    return check


async def run_checks(checks: Iterable[Check]) -> AsyncIterator[Finding]:
    """Yield what the checks find, as soon as each of them ends. A failure ends none of the others.

    Only errors of the contract and of the system are described: others could contain secrets.
    """
    for name, perform, timeout in checks:
        advice = "try again; if it stays so, the disk, network or service behind it has a problem"
        try:
            async with asyncio.timeout(timeout):
                findings = await perform()
        except TimeoutError:
            findings = [failed(name, f"no result within {timeout:g} s", advice)]
        except (SidecarError, OSError) as error:
            findings = [failed(name, str(error), advice)]
        except Exception as error:
            findings = [failed(name, f"the check itself failed: {type(error).__name__}", advice)]
        for finding in findings:
            yield finding


async def in_thread(function: Callable[[], T], timeout: float = CHECK_TIMEOUT) -> T:
    """Return the result of a call that may block for ever, in a thread that nothing waits for."""
    return await DaemonCalls("check").run(function, timeout)
