"""Releases, timings and events that the tests of the Flyte backend share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.read.pending_evidence import PAUSED_WITHIN
from flyte_sidecar.backends.flyte.timing import Timing
from tests.conftest import TEST_TIMEOUT
from tests.contract.flyte import FAST, OLD_RELEASES, RELEASES, FlyteHarness
from tests.contract.harness import RUN

OLD = pytest.mark.parametrize("release", OLD_RELEASES)
OLD_AND_NEW = pytest.mark.parametrize("release", ["2.0.28", "2.0.43"])
EVERY = pytest.mark.parametrize("release", RELEASES)


def timed(base: Timing = FAST, **changes: float) -> pytest.MarkDecorator:
    """Run a test with other intervals than those of `base`."""
    return pytest.mark.parametrize("timing", [replace(base, **changes)], ids=["timed"])


def ask(flyte: FlyteHarness, name: str = "q", *more: Any, **how: Any) -> str:
    """Create an event of the run; return its action name."""
    return flyte.server.model.ask(RUN.name, name, *more, **how)


def prove(flyte: FlyteHarness, run: str = RUN.name) -> None:
    """Make listings of 2.0.43 prove that new events of the run are pending if they are PAUSED.

    An event "first" ends long after it was created, and some time passes.
    """
    model = flyte.server.model
    action = model.ask(run, "first")
    flyte.pass_time(PAUSED_WITHIN.total_seconds() + 1)
    model.signal_directly(run, action, True)
    flyte.pass_time(1)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another thread changes."""
    async with asyncio.timeout(TEST_TIMEOUT):
        while not condition():  # noqa: ASYNC110 - what it waits for is no event of this loop
            await asyncio.sleep(0.001)
