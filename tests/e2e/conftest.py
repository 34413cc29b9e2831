"""Processes that end with their test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import Process

Spawn = Callable[..., Process]


@pytest.fixture
def spawn(store: Path) -> Iterator[Spawn]:
    """Start sidecars over the test's store."""
    started: list[Process] = []

    def start(*words: str, **how: Any) -> Process:
        started.append(Process(store, *words, **how))
        return started[-1]

    yield start
    for process in started:
        process.clear()


@pytest.fixture(autouse=True)
def only_posix() -> None:
    if sys.platform == "win32":
        pytest.skip("these tests speak of descriptors and signals")
