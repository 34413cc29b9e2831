from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.flyte import RELEASES, FlyteHarness
from tests.contract.harness import Client, Harness
from tests.contract.local import LocalHarness
from tests.contract.running import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]


@pytest.fixture(params=["local", *RELEASES])
def harness(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Harness]:
    """Every backend, one after another; of Flyte, every release that behaves otherwise."""
    if request.param == "local":
        yield LocalHarness(tmp_path, monkeypatch)
        return
    with FlyteHarness(request.param, monkeypatch) as flyte:
        yield flyte


@pytest.fixture
def client(harness: Harness) -> Client:
    return Client(harness)
