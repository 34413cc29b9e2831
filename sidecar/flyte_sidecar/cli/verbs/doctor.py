"""`flyte-sidecar doctor`: check the installation, the config and the backend."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from functools import partial

from flyte_sidecar.cli import standard_streams, terminal
from flyte_sidecar.cli.arguments.values import add_json
from flyte_sidecar.cli.checks.deployment import deployment_checks
from flyte_sidecar.cli.checks.environment import check_log, check_streams, check_terminal
from flyte_sidecar.cli.checks.extras import check_extras
from flyte_sidecar.cli.checks.finding import Finding
from flyte_sidecar.cli.checks.installation import check_commands, check_version
from flyte_sidecar.cli.checks.local_runs import IMPORT_TIMEOUT, check_local_runs
from flyte_sidecar.cli.checks.run import Check, run_checks
from flyte_sidecar.cli.checks.selection import check_selection
from flyte_sidecar.cli.checks.store import store_checks
from flyte_sidecar.cli.output import print_json, print_lines
from flyte_sidecar.events.plain_text import sanitize
from flyte_sidecar.server.settings import Options

STYLES = {
    "ok": terminal.GREEN,
    "warning": terminal.YELLOW,
    "failed": terminal.RED,
    "skipped": terminal.DIM,
}
LABELS = {**dict(zip(STYLES, STYLES, strict=True)), "failed": "FAILED"}

ADVICE = "-> "
STATUS_WIDTH, NAME_WIDTH = 7, 13

CLOSE_TIMEOUT = 5.0
"""Seconds for closing the store and the connection."""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the option."""
    add_json(parser, "check per line, with its name, status, detail and advice")


def run(options: Options, as_json: bool) -> int:
    """Print the checks, each as soon as it has ended; return 1 if one has failed, else 0.

    Raises
    ------
    OSError
        If stdout cannot be written.
    """
    standard_streams.require_stdout()
    return asyncio.run(_run(options, as_json))


async def _run(options: Options, as_json: bool) -> int:
    counts: Counter[str] = Counter()
    async for finding in _findings(options):
        counts[finding.status] += 1
        if as_json:
            print_json(finding)
        else:
            print_lines(_lines(finding))
    if not as_json:
        print_lines([_summary(counts)])
    return 1 if counts["failed"] else 0


async def _findings(options: Options) -> AsyncIterator[Finding]:
    closing = AsyncExitStack()
    checks = [
        Check("version", check_version),
        Check("command", check_commands),
        Check("terminal", check_terminal),
        Check("streams", check_streams),
        Check("log", partial(check_log, options)),
        Check("extras", partial(check_extras, options)),
        Check("backend", partial(check_selection, options)),
    ]
    if options.backend != "flyte":
        checks += store_checks(options, closing)
    if options.backend != "local":
        checks += deployment_checks(options, closing)
    if options.backend != "flyte":
        checks.append(Check("local runs", check_local_runs, 2 * IMPORT_TIMEOUT))
    try:
        async for finding in run_checks(checks):
            yield finding
    finally:
        with suppress(TimeoutError):  # what hangs is not waited for
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await closing.aclose()


def _lines(finding: Finding) -> list[str]:
    """Return the line of a finding, and below it what to do next."""
    label = LABELS[finding.status].ljust(STATUS_WIDTH)
    name = sanitize(finding.name).ljust(NAME_WIDTH)
    paint = terminal.painter()
    lines = [f"{paint(label, STYLES[finding.status])}  {name}  {sanitize(finding.detail)}"]
    if finding.advice is not None:
        lines.append(f"{'':{STATUS_WIDTH}}  {ADVICE}{sanitize(finding.advice)}")
    return lines


def _summary(counts: Counter[str]) -> str:
    if not counts["failed"] and not counts["warning"]:
        return "All checks passed."
    found = [
        f"{count} {noun if count == 1 else plural}"
        for count, noun, plural in (
            (counts["failed"], "check FAILED", "checks FAILED"),
            (counts["warning"], "warning", "warnings"),
        )
        if count
    ]
    return f"{', '.join(found)}. The lines with {ADVICE}say what to do next."
