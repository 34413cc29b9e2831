"""Numbers to text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    """What was measured, in every round, next to what the project wants it to be.

    Nothing depends on the goal.
    """

    name: str
    rounds: Sequence[float]
    goal: str = ""


def percentile(values: Sequence[float], percent: float) -> float:
    """Give the smallest value that at least `percent` of the values do not exceed."""
    ranked = sorted(values)
    return ranked[max(math.ceil(len(ranked) * percent / 100) - 1, 0)]


def number(value: float) -> str:
    """Write three significant digits, and all those of a large number's whole part."""
    decimals = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{min(decimals, 3)}f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, the others to the right."""
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
    """Set medians, the span of their rounds, and goals side by side."""
    several = any(len(figure.rounds) > 1 for figure in found)
    goals = any(figure.goal for figure in found)
    rows = [(title, "median", "rounds" if several else "", "goal" if goals else "")]
    for figure in found:
        lowest, highest = min(figure.rounds), max(figure.rounds)
        span = f"{number(lowest)} to {number(highest)}" if len(figure.rounds) > 1 else ""
        rows.append((figure.name, number(median(figure.rounds)), span, figure.goal))
    return table(rows)
