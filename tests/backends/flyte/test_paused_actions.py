"""The paused actions of many runs: they are listed only as far as that is needed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from flyte_sidecar.backends.flyte.read.paused_actions import PausedActions
from flyte_sidecar.backends.flyte.rpc.listed_action import ListedAction
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.events.model import PAUSED, Run

pytestmark = pytest.mark.anyio
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Runs:
    """Runs by name, each with its instant of creation and those of its paused actions."""

    def __init__(self, **runs: tuple[float, list[float]]) -> None:
        self._runs = runs
        self.listed: list[str] = []
        self.failing: str | None = None
        self.paused = PausedActions(
            [(Run(None, "p", "d", name), at(created)) for name, (created, _) in runs.items()],
            self._list,
        )

    async def _list(self, run: Run) -> list[ListedAction]:
        if run.name == self.failing:
            raise RpcError("UNAVAILABLE", "gone")
        self.listed.append(run.name)
        return [
            ListedAction(
                *(run, f"{run.name}-{place}", PAUSED, False, True, "n", "bool", "a0", None),
                created_at=at(int(created)),
                ended_at=None,
            )
            for place, created in enumerate(self._runs[run.name][1])
        ]

    @property
    def rows(self) -> list[str]:
        return [row.action_name for row in self.paused.rows]


async def test_later_runs_are_not_listed_before_their_actions_can_be_next() -> None:
    runs = Runs(new=(20, [21]), old=(0, [1, 25]), middle=(10, [11]))
    await runs.paused.extend(1)
    assert (runs.rows, runs.listed) == (["old-0"], ["old"])
    await runs.paused.extend(2)
    assert (runs.rows, runs.listed) == (["old-0", "middle-0"], ["old", "middle"])
    assert not runs.paused.is_complete
    await runs.paused.extend(100)
    assert runs.rows == ["old-0", "middle-0", "new-0", "old-1"]
    assert runs.paused.is_complete
    assert runs.listed == ["old", "middle", "new"]


async def test_an_action_created_in_the_second_of_a_later_run_waits_for_that_run() -> None:
    runs = Runs(old=(0, [10.9]), new=(10.5, [10.7]))
    await runs.paused.extend(1)
    assert (runs.rows, runs.listed) == (["new-0", "old-0"], ["old", "new"])


async def test_a_run_that_cannot_be_listed_is_listed_later() -> None:
    runs = Runs(old=(0, [1]), new=(10, [11]))
    await runs.paused.extend(1)
    runs.failing = "new"
    with pytest.raises(RpcError):
        await runs.paused.extend(2)
    assert (runs.rows, runs.paused.is_complete) == (["old-0"], False)
    runs.failing = None
    await runs.paused.extend(2)
    assert (runs.rows, runs.listed) == (["old-0", "new-0"], ["old", "new"])


@pytest.mark.parametrize("seed", range(20))
async def test_every_action_is_listed_once_in_order_of_creation(seed: int) -> None:
    chance = random.Random(seed)
    runs = {
        f"r{number}": (
            created := chance.uniform(0, 50),
            [created + chance.expovariate(0.1) for _ in range(chance.choice([0, 0, 1, 3]))],
        )
        for number in range(chance.randrange(300))
    }
    found = Runs(**runs)
    count = 0
    while not found.paused.is_complete:
        count += chance.choice([1, 5, 100])
        known = found.rows
        await found.paused.extend(count)
        assert found.rows[: len(known)] == known
    assert sorted(found.listed) == sorted(runs)
    expected = [
        (int(created), name, f"{name}-{place}")
        for name, (_, actions) in runs.items()
        for place, created in enumerate(actions)
    ]
    assert found.rows == [action for _, _, action in sorted(expected)]
