"""A login that a listing of both backends needs, and that takes longer than the listing."""

from __future__ import annotations

import threading
from pathlib import Path

from msgspec.structs import replace

from flyte_sidecar.backends.flyte import FlyteBackend
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.backends.merged import MergedBackend
from flyte_sidecar.backends.merged.timing import MergeTiming
from flyte_sidecar.events.attended_logins import AttendedLogins
from flyte_sidecar.events.model import ANY_SCOPE, EventPage, PendingQuery
from tests.backends.flyte.auth.connection import QUICK, Connect, Person
from tests.conftest import TEST_TIMEOUT
from tests.fake_runservice.server import Server


async def test_a_person_can_finish_a_login_after_the_listing_that_needs_it(
    connect: Connect, deployment: Server, person: Person, home: Path
) -> None:
    deployment.model.ask("r1", "remote", project="p", domain="d")
    listed = threading.Event()

    def log_in_later(url: str) -> None:
        assert listed.wait(TEST_TIMEOUT)
        person.logs_in(url)

    person.does = log_in_later
    async with connect("DeviceFlow") as connection:
        at = replace(connection.deployment, project="p", domain="d")
    flyte = FlyteBackend(at, "test", QUICK, prompt=person)
    local = LocalBackend(home / "events.db")
    assert await local.healthy()  # opening it may take longer than the timeout
    merged = MergedBackend(local, flyte, MergeTiming(0.5))

    async def pending() -> EventPage:
        return await merged.pending(PendingQuery(scope=ANY_SCOPE))  # type: ignore[misc]

    page = await pending()
    assert (page.events, len(page.unavailable)) == ([], 1)
    await person.asked.wait()
    merged._patient_reads.timeout = 3600.0
    listed.set()
    page = await pending()
    assert [event.name for event in page.events] == ["remote"]
    assert [error for _, error in person.ended_logins] == [None]
    await person.finish()
    await merged.close()


async def test_a_listing_waits_for_a_login_at_the_terminal(
    connect: Connect, deployment: Server, person: Person, home: Path
) -> None:
    deployment.model.ask("r1", "remote", project="p", domain="d")

    class Terminal(AttendedLogins):
        def required(self, login: object) -> None:
            super().required(login)
            person.required(login)  # type: ignore[arg-type]
            merged._patient_reads.timeout = 0.0  # no longer runs

        def ended(self, login: object, error: str | None) -> None:
            merged._patient_reads.timeout = 3600.0
            super().ended(login, error)

    terminal = Terminal()
    async with connect("DeviceFlow") as connection:
        at = replace(connection.deployment, project="p", domain="d")
    flyte = FlyteBackend(at, "test", QUICK, prompt=terminal)
    local = LocalBackend(home / "events.db")
    merged = MergedBackend(local, flyte, MergeTiming(3600.0), terminal)
    page = await merged.pending(PendingQuery(scope=ANY_SCOPE))  # type: ignore[misc]
    assert [event.name for event in page.events] == ["remote"]
    assert page.unavailable == []
    await person.finish()
    await merged.close()
