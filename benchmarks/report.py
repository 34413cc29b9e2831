"""Format figures as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """The measured values of all rounds, and the goal, which is only printed."""

    name: str
    rounds: Sequence[float]
    goal: str = ""


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed."""
    ranked = sorted(values)
    return ranked[max(math.ceil(len(ranked) * percent / 100) - 1, 0)]


def number(value: float) -> str:
    """Format a number with three significant digits, or all digits of a larger integer part."""
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{min(decimals, 3)}f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def figures(title: str, found: Sequence[Figure]) -> str:
    """Format a table of medians, ranges of the rounds, and goals."""
    several = any(len(figure.rounds) > 1 for figure in found)
    goals = any(figure.goal for figure in found)
    rows = [(title, "median", "rounds" if several else "", "goal" if goals else "")]
    for figure in found:
        lowest, highest = min(figure.rounds), max(figure.rounds)
        span = f"{number(lowest)} to {number(highest)}" if len(figure.rounds) > 1 else ""
        rows.append((figure.name, number(median(figure.rounds)), span, figure.goal))
    return table(rows)
