"""Progress while the language server waits, and failures of the backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from flyte_sidecar.backends.flyte import LoginRequest
from flyte_sidecar.errors import BackendUnavailable, PermissionDenied, SidecarError, Unauthenticated
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.lsp.progress import BackendProgress, Progress
from flyte_sidecar.server.client_prompt import ClientPrompt
from tests.contract.harness import settle
from tests.lsp.fake_editor import FakeClient, FakeSession

NOW = datetime.now(UTC)
NEVER = 1e6
"""Seconds that do not pass during a test."""


@pytest.fixture
async def progress(session: FakeSession) -> AsyncIterator[Progress]:
    progress = Progress(session, delay=0.0)
    yield progress
    await progress.close()
    assert open_at_once(session.client) == []


def open_at_once(client: FakeClient) -> list[object]:
    """Return the tokens that have not ended; fails if two were open at once."""
    begun: list[object] = []
    for call, token, _ in client.progress:
        if call == "begin":
            begun.append(token)
            assert len(begun) == 1
        elif call == "end":
            begun.remove(token)
        else:
            assert begun == [token]
    return begun


async def test_progress_begins_reports_and_ends(session: FakeSession, progress: Progress) -> None:
    progress.begin("Waiting for a login")
    progress.report("open the browser")
    await session.client.until(lambda: len(session.client.progress) == 2)
    progress.end()
    progress.end()
    await session.client.until(lambda: len(session.client.progress) == 3)
    assert [(call, text) for call, _, text in session.client.progress] == [
        ("begin", "Waiting for a login"),
        ("report", "open the browser"),
        ("end", ""),
    ]


async def test_a_short_wait_shows_no_progress(session: FakeSession) -> None:
    progress = Progress(session, delay=NEVER)
    progress.begin("Connecting")
    await settle()
    progress.end()
    await progress.close()
    assert session.client.progress == []


async def test_a_new_wait_replaces_the_previous_one(
    session: FakeSession, progress: Progress
) -> None:
    for number in range(5):
        progress.begin(f"wait {number}")
        await session.client.until(lambda: session.client.progress[-1:] != [])
        await settle(number)
    await settle(10)
    assert session.client.progress[-1][2] == "wait 4"
    open_at_once(session.client)


async def test_a_report_of_one_wait_is_not_shown_for_the_next(
    session: FakeSession, progress: Progress
) -> None:
    progress.begin("first")
    progress.report("of the first")
    progress.begin("second")
    await session.client.until(lambda: session.client.progress)
    await settle(10)
    assert [(call, text) for call, _, text in session.client.progress] == [("begin", "second")]


async def test_progress_that_the_editor_has_not_confirmed_never_begins(
    session: FakeSession, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def never(_: str) -> None:
        asked.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(session.client, "begin_progress", never)
    progress.begin("Connecting")
    await asked.wait()
    progress.end()
    await progress.close()
    assert session.client.progress == []


async def test_an_editor_without_progress_is_sent_none(
    session: FakeSession, progress: Progress
) -> None:
    session.client.shows_progress = False
    progress.begin("Connecting")
    progress.report("x")
    await settle(10)
    progress.end()
    assert session.client.progress == []


@pytest.fixture
def logins() -> ClientPrompt:
    return ClientPrompt(lambda *_: None, lambda _: None)


@pytest.fixture
def backend(session: FakeSession, progress: Progress, logins: ClientPrompt) -> BackendProgress:
    return BackendProgress(session, progress, logins, outage_delay=0.0)


async def test_progress_is_shown_while_the_backend_connects(
    session: FakeSession, backend: BackendProgress
) -> None:
    backend.on_state(BackendState("connecting"))
    await session.client.until(lambda: session.client.progress)
    backend.on_state(BackendState("ready"))
    await session.client.until(lambda: len(session.client.progress) == 2)
    assert session.client.progress[0][2] == "Connecting to the embedded store"
    assert session.client.messages == []


async def test_progress_of_a_deployment_names_it(
    session: FakeSession, backend: BackendProgress
) -> None:
    session.service.backend.endpoint = "flyte.example.com"
    backend.on_state(BackendState("ready"))
    backend.on_state(BackendState("disconnected", BackendUnavailable("no route")))
    await session.client.until(lambda: len(session.client.progress) == 2)
    assert [text for _, _, text in session.client.progress] == [
        "Reconnecting to flyte.example.com",
        "no route",
    ]


@pytest.mark.parametrize(
    ("phase", "error"),
    [
        ("failed", Unauthenticated("the token is not valid")),
        ("failed", PermissionDenied("the project is not yours")),
        ("disconnected", BackendUnavailable("no route")),
    ],
)
async def test_a_failure_is_shown_once_and_not_at_every_retry(
    session: FakeSession, backend: BackendProgress, phase: str, error: SidecarError
) -> None:
    for _ in range(3):
        backend.on_state(BackendState("connecting"))
        backend.on_state(BackendState(phase, error))  # type: ignore[arg-type]
        await session.client.message()
    await settle()
    assert session.client.messages == [("error", f"Events are not up to date: {error.message}")]
    backend.on_state(BackendState("ready"))
    backend.on_state(BackendState(phase, error))  # type: ignore[arg-type]
    await session.client.message(2)


async def test_a_failure_of_another_kind_is_shown_too(
    session: FakeSession, backend: BackendProgress
) -> None:
    backend.on_state(BackendState("failed", Unauthenticated("no token")))
    backend.on_state(BackendState("connecting"))
    backend.on_state(BackendState("failed", PermissionDenied("not yours")))
    assert len(session.client.messages) == 2


async def test_a_login_that_has_failed_is_not_shown_again(
    session: FakeSession, backend: BackendProgress, logins: ClientPrompt
) -> None:
    login = LoginRequest("https://idp.example.com", None, "Log in", NOW, lambda: None)
    logins.required(login)
    logins.ended(login, "cancelled")
    backend.on_state(BackendState("failed", Unauthenticated("cancelled")))
    assert session.client.messages == []
    logins.required(login)
    logins.ended(login, None)
    backend.on_state(BackendState("failed", Unauthenticated("the token is not valid")))
    await session.client.message()


async def test_a_short_outage_is_not_shown_as_an_error(
    session: FakeSession, progress: Progress, logins: ClientPrompt
) -> None:
    backend = BackendProgress(session, progress, logins, outage_delay=NEVER)
    backend.on_state(BackendState("disconnected", BackendUnavailable("no route")))
    await session.client.until(lambda: session.client.progress)
    backend.on_state(BackendState("ready"))
    backend.close()
    assert session.client.messages == []


async def test_an_outage_that_has_ended_is_not_shown(
    session: FakeSession, backend: BackendProgress
) -> None:
    backend.on_state(BackendState("disconnected", BackendUnavailable("no route")))
    backend.on_state(BackendState("ready"))
    await settle(10)
    assert session.client.messages == []


async def test_nothing_is_shown_after_the_end(
    session: FakeSession, backend: BackendProgress
) -> None:
    backend.on_state(BackendState("disconnected", BackendUnavailable("no route")))
    backend.close()
    await settle(10)
    assert session.client.messages == []
    assert session.client.progress == []


async def test_a_failure_is_one_harmless_line(
    session: FakeSession, backend: BackendProgress
) -> None:
    backend.on_state(BackendState("failed", Unauthenticated("a\n\x1b[2J[x](command:y)" * 1000)))
    [(_, message)] = session.client.messages
    assert message.isprintable()
    assert "](" not in message
    assert len(message) < 400
