"""Benchmark of the language server's analysis: from an edit to the declarations of the file."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.report import Figure, figures, percentile
from benchmarks.run_size import RunSize
from flyte_sidecar.lsp.source.parser import SourceFile
from flyte_sidecar.lsp.source.text import SourceText

LINES = 5_000
LARGE_BYTES = 5_000_000

TYPED = '    asked = await flyte.new_condition.aio("typed", prompt="Continue?", data_type=int)\n'
"""The text to type, one character at a time. The file has a syntax error most of the time."""

HEAD = 'import flyte\n\nenv = flyte.TaskEnvironment(name="env")\n'
HELPER = '''

def helper_{0}(values: list[int], scale: float = 1.0) -> dict[str, float]:
    """Scale the values."""
    result: dict[str, float] = {{}}
    for index, value in enumerate(values):
        if value > {0}:
            result[f"value-{{index}}"] = value * scale
    return result
'''
TASK = '''

@env.task(cache="auto")
async def task_{0}(stage: str) -> bool:
    """Deploy to a stage when somebody has approved it."""
    condition = await flyte.new_condition.aio(
        "approve-{0}", prompt="Deploy to the stage?", data_type=bool
    )
    return await condition.wait.aio()
'''


def editing(folder: Path, size: RunSize) -> str:
    """Measure keystrokes in a file of usual size and in a large one."""
    lines = _measure(_code(LINES, 0), size.rounds, len(TYPED))
    large = _measure(_code(0, LARGE_BYTES), 1, size.rounds)
    return figures(
        "from a keystroke to the declarations of the file",
        [
            Figure(f"{LINES:,} lines, first parse, ms", lines[0]),
            Figure(f"{LINES:,} lines, p50, ms", lines[1], "below 20"),
            Figure(f"{LINES:,} lines, p99, ms", lines[2]),
            Figure(f"{LARGE_BYTES / 1e6:.0f} MB, first parse, ms", large[0]),
            Figure(f"{LARGE_BYTES / 1e6:.0f} MB, p50, ms", large[1]),
        ],
    )


def _code(lines: int, size: int) -> str:
    """Return code with at least as many lines and bytes: ten functions for each task."""
    parts, count, length = [HEAD], 0, 0
    while count < lines or length < size:
        kind = TASK if len(parts) % 11 == 0 else HELPER
        part = kind.format(len(parts))
        parts.append(part)
        count, length = count + part.count("\n"), length + len(part)
    return "".join(parts)


def _measure(
    code: str, rounds: int, keystrokes: int
) -> tuple[list[float], list[float], list[float]]:
    """Return the first parse, the median and the 99th percentile of each round, in ms."""
    first, middle, slow = [], [], []
    for _ in range(rounds):
        file = SourceFile(SourceText(code))
        start = time.perf_counter()
        file.accept(file.snapshot().parse())
        first.append((time.perf_counter() - start) * 1e3)
        position = code.index('    """Deploy', len(code) // 2)
        times = []
        for character in TYPED[:keystrokes]:
            start = time.perf_counter()
            file.edit(position, position, character)
            file.accept(file.snapshot().parse())
            times.append((time.perf_counter() - start) * 1e3)
            position += 1
        middle.append(percentile(times, 50))
        slow.append(percentile(times, 99))
    return first, middle, slow
