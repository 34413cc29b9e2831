"""Fixtures for verbs that run while a test goes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.verbs import Environment, RunningVerb, Started, Terminal
from tests.e2e.process import Process


@pytest.fixture
def started() -> Iterator[Started]:
    """The verbs that a test started; they end with the test."""
    started: Started = []
    yield started
    for reader in started:
        if reader.popen.poll() is None:
            reader.popen.kill()
        reader.popen.communicate()
        if isinstance(reader, Terminal):
            os.close(reader.master)


@pytest.fixture
def env(command: Environment) -> Environment:
    """An environment with colour, in UTC."""
    unset = {"NO_COLOR", "COLUMNS", "PYTHONIOENCODING"}
    kept = {name: value for name, value in command.items() if name not in unset}
    return {**kept, "TERM": "xterm", "TZ": "UTC", "PYTHONUTF8": "1"}


@pytest.fixture
def watch(env: Environment, started: Started) -> Any:
    def watch(*arguments: str, **options: Any) -> RunningVerb:
        started.append(RunningVerb(env, "watch", *arguments, **options))
        return started[-1]

    return watch


@pytest.fixture
def terminal(env: Environment, started: Started) -> Any:
    def terminal(*arguments: str, also: Environment | None = None, **options: Any) -> Terminal:
        verb = Terminal({**env, **(also or {})}, *arguments, **options)
        started.append(verb)
        return verb

    return terminal


@pytest.fixture
def other(store: Path) -> Iterator[Process]:
    """Another process on the store, which creates and answers events."""
    other = Process(store)
    yield other
    other.clear()
