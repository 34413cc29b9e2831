"""The results of conformance checks as a table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from flyte_sidecar.cli import terminal
from flyte_sidecar.cli.table import Column, Table
from flyte_sidecar.conformance.check import Check, Result
from flyte_sidecar.events.plain_text import sanitize

WIDTH = 80
"""Columns, if stdout is not a terminal."""

INDENT = "        "

ARROWS = {"sent": "->", "received": "<-"}


def list_of_checks(checks: Sequence[Check]) -> list[str]:
    """Return the lines of `--list`."""
    columns = [Column("CHECK"), Column("LEVEL"), Column("RULE", is_text=True)]
    rows = [(check.id, check.level, sanitize(check.title)) for check in checks]
    return Table(columns, width=_width()).lines(rows, more=False)


class Report:
    """Formats results while they arrive.

    Parameters
    ----------
    checks
        All checks that may have a result.
    is_verbose
        Whether to show what was sent and received when a check fails.
    """

    def __init__(self, checks: Sequence[Check], *, is_verbose: bool) -> None:
        longest = max((len(check.id) for check in checks), default=0)
        columns = [Column("RESULT"), Column("CHECK", usual=longest), Column("RULE", is_text=True)]
        self._table = Table(columns, width=_width())
        self._is_verbose = is_verbose

    def lines(self, result: Result) -> list[str]:
        """Return a row of the table, and below it what is wrong."""
        was_made = result.outcome not in ("skip", "n/a")
        text = result.title if was_made else result.detail
        row = (_label(result), sanitize(result.check), sanitize(text))
        lines = self._table.lines([row], more=True)
        if was_made and result.detail:
            lines += _details(result, is_verbose=self._is_verbose)
        return lines


def summary(counts: Mapping[str, int]) -> list[str]:
    """Return the last line."""
    names = {
        "pass": "passed",
        "fail": "failed",
        "warn": "with a warning",
        "skip": "skipped",
        "n/a": "not applicable",
    }
    found = [f"{counts[each]} {name}" for each, name in names.items() if counts.get(each)]
    return ["", f"{', '.join(found) or 'no check was run'}."]


def _label(result: Result) -> str:
    """Return `FAIL` for a broken rule of level `must`, and else the outcome."""
    is_fatal = result.outcome == "fail" and result.level == "must"
    return "FAIL" if is_fatal else result.outcome


def _details(result: Result, *, is_verbose: bool) -> Iterator[str]:
    yield from _wrapped(sanitize(result.detail))
    yield from _wrapped(f"rule: {sanitize(result.title)} ({result.level}; {result.source})")
    if is_verbose:
        for entry in result.evidence:
            yield from _wrapped(f"{ARROWS[entry.direction]} {sanitize(entry.text)}")
        if result.stderr:
            yield from _wrapped(f"stderr: {sanitize(result.stderr)}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        terminal.encodable(text),
        _width(),
        initial_indent=INDENT,
        subsequent_indent=INDENT,
        break_on_hyphens=False,
    )


def _width() -> int:
    return terminal.columns() or WIDTH
