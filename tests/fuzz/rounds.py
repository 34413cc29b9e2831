"""Run the rounds of a fuzzer, and reduce a failing round to few messages."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "6"))
"""Rounds of each fuzzer."""

SEED = int(os.environ.get("FUZZ_SEED", "0"))
"""Seed of the first round; each further round increments it."""


def run_rounds(make: Callable[[random.Random], list[T]], check: Callable[[list[T]], None]) -> None:
    """Run the rounds, and fail with as few messages as still make the check fail.

    Parameters
    ----------
    make
        Returns the messages of a round.
    check
        Sends messages to a new process, and raises AssertionError if its output is wrong.
    """
    for seed in range(SEED, SEED + ROUNDS):
        messages = make(random.Random(seed))
        error = _failure(check, messages)
        if error is not None:
            few = _reduced(check, messages)
            what = "\n".join(map(repr, few))
            pytest.fail(f"FUZZ_SEED={seed}: {_failure(check, few) or error}\nmessages:\n{what}")


def _failure(check: Callable[[list[T]], None], messages: list[T]) -> str | None:
    try:
        check(messages)
    except AssertionError as error:
        return f"{type(error).__name__}: {error}"
    return None


def _reduced(check: Callable[[list[T]], None], messages: list[T]) -> list[T]:
    """Remove parts that the failure does not need, from halves down to single messages."""
    size = len(messages) // 2
    while size:
        start = 0
        while start < len(messages):
            fewer = messages[:start] + messages[start + size :]
            if fewer and _failure(check, fewer) is not None:
                messages = fewer
            else:
                start += size
        size //= 2
    return messages
