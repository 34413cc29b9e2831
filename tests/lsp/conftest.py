"""Fixtures: scripted editors, each with a sidecar on the test's store, and a fake session."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.events.service import EventService
from tests.lsp.editor_client import EditorClient
from tests.lsp.fake_editor import FakeSession
from tests.lsp.meta_model import load_meta_model

StartEditor = Callable[..., Awaitable[EditorClient]]


@pytest.fixture
async def start_editor(store: Path, tmp_path: Path) -> AsyncIterator[StartEditor]:
    """Start scripted editors; their sidecars must not write to stderr.

    The function takes the options of `EditorClient.start`. Without arguments, the sidecar uses the
    test's store. All share a state folder, as the editors of one user do.
    """
    model, log = load_meta_model(), tmp_path / "stderr"
    async with AsyncExitStack() as stack:
        errors = stack.enter_context(log.open("ab"))

        async def start(*arguments: str, **options: Any) -> EditorClient:
            env = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
            options = {"env": env, "stderr": errors, **options}
            arguments = arguments or ("--store", str(store))
            return await stack.enter_async_context(EditorClient.start(model, *arguments, **options))

        yield start
    assert log.read_text() == ""


@pytest.fixture
async def session(store: Path) -> AsyncIterator[FakeSession]:
    """A session of an editor with an embedded store."""
    backend = LocalBackend(store)
    yield FakeSession(EventService(backend))
    await backend.close()
