"""Logins while another process shows one, and logins that end with one elsewhere."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest
from msgspec.structs import replace

from tests.backends.flyte.auth.connection import QUICK, Connect, Person
from tests.fake_runservice.server import Server
from tests.oidc_provider.provider import Provider

WATCHFUL = replace(QUICK, stored_login_interval=0.01)


@pytest.mark.parametrize("auth_type", ["Pkce", "DeviceFlow"])
async def test_a_login_elsewhere_ends_the_one_that_is_shown(
    auth_type: str, connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    person.does = person.ignores
    async with connect(auth_type, WATCHFUL) as connection:
        calls = [asyncio.ensure_future(connection.call()) for _ in range(3)]
        await person.asked.wait()
        await connection.keep("of-the-flyte-command", None)
        await asyncio.gather(*calls)
    [(_, error)] = person.ended_logins
    assert error is None
    assert provider.issued == []


async def test_who_asks_for_a_login_does_not_wait_for_one_that_another_process_shows(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    async with connect("DeviceFlow") as connection, connection.store.lock("login", 0):
        await connection.authenticator.login()
        assert len(provider.issued) == 1


async def test_a_request_shows_no_login_while_another_process_does(
    connect: Connect, deployment: Server, person: Person
) -> None:
    async with connect("DeviceFlow") as connection:
        async with connection.store.lock("login", 0):
            call = asyncio.ensure_future(connection.call())
            while not deployment.auth.rejections:  # noqa: ASYNC110 - another thread adds them
                await asyncio.sleep(0.001)
            await connection.keep("of-another-sidecar", None)
        await call
    assert person.required_logins == []


async def test_a_request_that_waits_for_a_login_in_another_process_logs_why(
    connect: Connect, deployment: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect("DeviceFlow", WATCHFUL) as connection:
        async with connection.store.lock("login", 0):
            call = asyncio.ensure_future(connection.call())
            while not caplog.messages:  # noqa: ASYNC110 - nothing else reports a line of a log
                await asyncio.sleep(0.001)
            await connection.keep("of-another-sidecar", None)
        await call
    assert caplog.messages == [
        f"another process waits for a login at {deployment.endpoint}: finish it, or run "
        "`flyte-sidecar login`"
    ]


async def test_a_keyring_that_fails_is_not_asked_again_while_a_person_is(
    connect: Connect, deployment: Server, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    person.does = person.ignores
    async with connect("DeviceFlow", replace(WATCHFUL, login_timeout=0.3)) as connection:
        reads = 0
        read = connection.store.read

        async def count() -> object:
            nonlocal reads
            reads += 1
            return await read()

        monkeypatch.setattr(connection.store, "read", count)
        with pytest.raises(Exception, match="nobody finished"):
            await connection.call()
        assert reads <= 4


@pytest.mark.usefixtures("deployment")
async def test_a_request_whose_renewal_outlasts_a_login_uses_that_login(
    connect: Connect, provider: Provider, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, proceed = asyncio.Event(), asyncio.Event()

    async def read_slowly_once() -> None:
        if not reading.is_set():
            reading.set()
            await proceed.wait()

    person.does = person.ignores
    async with connect("DeviceFlow", disable_keyring=True) as connection:
        monkeypatch.setattr(connection.store, "lock", lambda *_: nullcontext())  # no state folder
        first = asyncio.ensure_future(connection.call())
        await person.asked.wait()
        monkeypatch.setattr(connection.store, "read", read_slowly_once)
        second = asyncio.ensure_future(connection.call())
        await reading.wait()
        await asyncio.to_thread(person.logs_in, person.required_logins[0].url)
        await first
        proceed.set()
        await second
    assert len(provider.issued) == len(person.required_logins) == 1
