"""Running checks in the process of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack

from flyte_sidecar.cli.checks.finding import Finding
from flyte_sidecar.cli.checks.run import Check, run_checks
from flyte_sidecar.server.settings import Options


async def findings_of(
    make: Callable[[Options, AsyncExitStack], list[Check]], options: Options
) -> dict[str, Finding]:
    """Return what checks find, by name."""
    async with AsyncExitStack() as closing:
        return {finding.name: finding async for finding in run_checks(make(options, closing))}


def failed(findings: Iterable[Finding]) -> Sequence[str]:
    """Return the names of the checks that failed."""
    return [finding.name for finding in findings if finding.status == "failed"]
