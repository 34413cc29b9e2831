from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from flyte_sidecar.cli.answering.similar_names import did_you_mean
from flyte_sidecar.cli.opened import opened
from flyte_sidecar.events.model import NewEvent, Target
from flyte_sidecar.events.service import EventService
from flyte_sidecar.server.settings import Options


@pytest.fixture
async def service(store: Path) -> AsyncIterator[EventService]:
    async with opened(Options(store=str(store))) as service:
        for run, name in (("training-7", "deploy"), ("training-7", "thre\u202eshold")):
            new = NewEvent(run=service.run(run), name=name)
            await service.create(service.write(Target(new.run, name=name)), new)
        yield service


@pytest.mark.parametrize(
    ("run", "name", "hint"),
    [
        ("training-7", "deplyo", "; did you mean 'deploy'?"),
        ("training-7", "threshold", r"; did you mean 'thre\u202eshold'?"),
        ("training-7", "zzz", ""),
        ("training-7", "deploy", ""),
        ("training-7", None, ""),
        ("trainign-7", "deploy", "; did you mean run 'training-7'?"),
        ("trainign-7", None, "; did you mean run 'training-7'?"),
        ("zzz", "deploy", ""),
    ],
)
async def test_a_similar_event_of_the_run_or_else_a_similar_run_is_suggested(
    service: EventService, run: str, name: str | None, hint: str
) -> None:
    assert await did_you_mean(service, run, name) == hint


@pytest.fixture
def unreadable(store: Path) -> Path:
    store.write_text("my diary")
    return store


async def test_nothing_is_suggested_if_the_names_cannot_be_read(unreadable: Path) -> None:
    async with opened(Options(store=str(unreadable))) as service:
        assert await did_you_mean(service, "training-7", "deploy") == ""
