"""Shorthands for the tests of the Flyte backend."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.flyte import RELEASES, FlyteHarness
from tests.contract.harness import RUN

OLD = pytest.mark.parametrize("release", ["2.0.28", "2.0.30"])
OLD_AND_NEW = pytest.mark.parametrize("release", ["2.0.28", "2.0.43"])
EVERY = pytest.mark.parametrize("release", RELEASES)

PATIENCE = 30.0
"""Seconds after which a test that waits has failed."""


def ask(flyte: FlyteHarness, name: str = "q", *more: Any, **how: Any) -> str:
    """Have the run ask; gives the id of the condition."""
    return flyte.server.model.ask(RUN.name, name, *more, **how)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds that another thread brings about."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what it waits for is no event of this loop
            await asyncio.sleep(0.001)
