"""Every flow with a certified OpenID provider."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.auth.interactive.browser import has_browser
from flyte_sidecar.backends.flyte.auth.interactive.prompt import without_login
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from tests.backends.flyte.auth.connection import (
    QUICK,
    Connect,
    Connection,
    Person,
    Rejected,
    wait_for_file,
)
from tests.fake_runservice.server import Server
from tests.oidc_provider import person as person_program
from tests.oidc_provider.provider import (
    CLIENT_SECRET,
    HASTY_CLIENT,
    PUBLIC_CLIENT,
    SECRET_CLIENT,
    Provider,
    public_client,
)

IMPATIENT = replace(QUICK, login_timeout=0.3)


async def failure(connection: Connection) -> RpcError:
    """Return the error of a call that must fail."""
    with pytest.raises(RpcError) as caught:
        await connection.call()
    return caught.value


@pytest.fixture
def browser(home: Path, ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser in which the person logs in; it prints to stdout."""
    words = (sys.executable, person_program.__file__, ca_file, "%s")
    monkeypatch.setenv("BROWSER", " ".join(words))


async def test_a_browser_logs_in(
    browser: None, connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    person.does = person.ignores
    async with connect() as connection:
        await connection.call()
        [exchange] = provider.exchanges
        assert await connection.stored() == (
            exchange["response"]["access_token"],
            exchange["response"]["refresh_token"],
        )
    assert exchange["client"] == PUBLIC_CLIENT
    assert set(exchange["request"]) == {
        "grant_type", "client_id", "code", "redirect_uri", "code_verifier",
    }  # fmt: skip
    [(login, error)] = person.ended_logins
    assert error is None
    assert login.user_code is None
    query = parse_qs(urlsplit(login.url).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["scope"] == ["openid all"]
    assert query["redirect_uri"] == [exchange["request"]["redirect_uri"]]
    assert len(query["state"][0]) >= 32


@pytest.mark.usefixtures("deployment")
async def test_a_config_that_was_only_found_opens_the_browser_only_for_an_explicit_login(
    home: Path, connect: Connect, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = home / "opened"
    monkeypatch.setenv("BROWSER", f"touch {opened} %s")
    async with connect(config_named=False) as connection:
        await connection.call()
        [login] = person.required_logins
        assert login.message.endswith(f"open {login.url}")
        assert not opened.exists()
        await connection.store.delete()

    def logs_in_there(url: str) -> None:
        while not opened.exists():
            time.sleep(0.001)
        person.logs_in(url)

    person.does = logs_in_there
    async with connect(config_named=False) as connection:
        await connection.authenticator.login()


async def test_a_code_logs_in(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    async with connect("DeviceFlow") as connection:
        await connection.call()
        exchange = provider.exchanges[-1]
        assert await connection.stored() == (
            exchange["response"]["access_token"],
            exchange["response"]["refresh_token"],
        )
    [login] = person.required_logins
    assert login.user_code is not None
    assert login.user_code in login.url
    assert login.user_code in login.message
    assert person.ended_logins == [(login, None)]


async def test_a_client_secret_logs_in(
    connect: Connect, deployment: Server, provider: Provider
) -> None:
    async with connect(
        "ClientSecret", client_id=SECRET_CLIENT, client_secret=Secret(CLIENT_SECRET)
    ) as connection:
        await connection.call()
        assert await connection.stored() is None
    [exchange] = provider.exchanges
    assert exchange["client"] == SECRET_CLIENT
    assert exchange["authorization"].startswith("Basic ")
    decoded = base64.b64decode(exchange["authorization"].removeprefix("Basic ")).decode()
    assert decoded == f"{SECRET_CLIENT}:{quote_plus(CLIENT_SECRET)}"
    assert exchange["request"] == {"grant_type": "client_credentials", "scope": "openid all"}


async def test_a_wrong_client_secret_is_reported_without_it(
    connect: Connect, deployment: Server, provider: Provider
) -> None:
    wrong = Secret("wr0ng-s3cret")
    async with connect("ClientSecret", client_id=SECRET_CLIENT, client_secret=wrong) as connection:
        error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert "the identity provider refuses the client secret: invalid_client" in error.message
    assert "wr0ng" not in error.message


async def test_an_expired_token_of_a_client_secret_is_replaced(
    connect: Connect, deployment: Server, provider: Provider, rejected: Rejected
) -> None:
    async with connect(
        "ClientSecret", client_id=SECRET_CLIENT, client_secret=Secret(CLIENT_SECRET)
    ) as connection:
        await connection.call()
        rejected.add(provider.exchanges[0]["response"]["access_token"])
        await connection.call()
    assert len(provider.exchanges) == 2


async def log_in(connection: Connection, provider: Provider, person: Person) -> tuple[str, str]:
    """Log in once, forget that, and return the tokens."""
    await connection.call()
    response = provider.exchanges[-1]["response"]
    provider.exchanges.clear()
    person.required_logins.clear()
    person.ended_logins.clear()
    return response["access_token"], response["refresh_token"]


@pytest.mark.parametrize("kind", ["Pkce", "DeviceFlow"])
async def test_an_expired_login_is_refreshed_without_a_person(
    kind: str,
    connect: Connect,
    deployment: Server,
    provider: Provider,
    person: Person,
    rejected: Rejected,
) -> None:
    assert deployment.auth.client is not None
    deployment.auth.client.audience = "https://flyte.example.com"
    async with connect(kind) as connection:
        access, refresh = await log_in(connection, provider, person)
        rejected.add(access)
        for _ in range(2):  # the second uses the rotated token
            await connection.call()
            stored = await connection.stored()
            assert stored is not None
            rejected.add(stored[0])
    first, second = provider.exchanges
    assert first["request"].pop("refresh_token") == refresh
    assert second["request"]["refresh_token"] == first["response"]["refresh_token"] != refresh
    scopes = {"scope": "openid all", "audience": "https://flyte.example.com"}
    assert first["request"] == {
        "grant_type": "refresh_token",
        "client_id": PUBLIC_CLIENT,
        **(scopes if kind == "DeviceFlow" else {}),
    }
    assert stored == (
        second["response"]["access_token"],
        second["response"]["refresh_token"],
    )
    assert person.required_logins == []


async def test_a_stored_login_is_used(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    async with connect("DeviceFlow") as connection:
        access, _ = await log_in(connection, provider, person)
    deployment.requests.clear()
    async with connect() as connection:
        await connection.call()
    assert [headers["authorization"] for _, _, headers in deployment.requests] == [
        f"Bearer {access}"
    ]
    assert provider.exchanges == []


async def test_a_login_that_another_process_has_refreshed_is_used(
    connect: Connect,
    deployment: Server,
    provider: Provider,
    person: Person,
    rejected: Rejected,
) -> None:
    async with connect("DeviceFlow") as here, connect() as there:
        access, _ = await log_in(here, provider, person)
        await there.call()
        rejected.add(access)
        await here.call()
        await there.call()
    assert len(provider.exchanges) == 1
    assert person.required_logins == []


async def test_a_login_that_vanished_from_the_keyring_is_still_refreshed(
    connect: Connect,
    deployment: Server,
    provider: Provider,
    person: Person,
    rejected: Rejected,
) -> None:
    async with connect("DeviceFlow") as connection:
        access, _ = await log_in(connection, provider, person)
        rejected.add(access)
        assert await connection.store.delete()
        await connection.call()
        response = provider.exchanges[-1]["response"]
        assert await connection.stored() == (response["access_token"], response["refresh_token"])
    assert person.required_logins == []


async def test_a_person_logs_in_again_after_the_provider_has_revoked_the_login(
    connect: Connect,
    deployment: Server,
    provider: Provider,
    person: Person,
    rejected: Rejected,
) -> None:
    async with connect("DeviceFlow") as connection:
        access, refresh = await log_in(connection, provider, person)
        rejected.add(access)
        await connection.call()
        await connection.keep(access, refresh)  # the consumed token: its use revokes the grant
        rejected.add(provider.exchanges[0]["response"]["access_token"])
        await connection.call()
    assert len(person.required_logins) == 1
    codes = [exchange["response"].get("error") for exchange in provider.exchanges]
    assert codes[:2] == [None, "invalid_grant"]


async def test_a_login_that_cannot_be_stored_is_not_replaced_by_the_outdated_one(
    connect: Connect,
    deployment: Server,
    provider: Provider,
    person: Person,
    rejected: Rejected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> bool:
        return False

    async with connect("DeviceFlow") as connection:
        old = await log_in(connection, provider, person)
        rejected.add(old[0])
        with monkeypatch.context() as patch:
            patch.setattr(connection.store, "write", fail)
            for _ in range(3):
                await connection.call()
                rejected.add(provider.issued[-1]["response"]["access_token"])
        assert await connection.stored() == old
        assert len(provider.exchanges) == 3
        await connection.keep("new", None)
        await connection.call()
    assert deployment.requests[-1][2]["authorization"] == "Bearer new"
    assert person.required_logins == []


async def test_a_login_forgets_that_an_earlier_one_was_denied(
    connect: Connect, deployment: Server, provider: Provider, person: Person, rejected: Rejected
) -> None:
    person.does = person.denies
    async with connect("DeviceFlow") as connection:
        await failure(connection)
        await connection.keep("new", None)
        await connection.call()
        rejected.add("new")
        person.does = person.logs_in
        await connection.call()


async def test_a_refused_refresh_token_is_not_sent_again(
    connect: Connect, deployment: Server, provider: Provider, rejected: Rejected
) -> None:
    rejected.add("old")
    async with connect() as connection:
        await connection.keep("old", "unkn0wn-token")
        with without_login():
            for _ in range(3):
                error = await failure(connection)
        assert await connection.stored() == ("old", "unkn0wn-token")
    assert error.status == "UNAUTHENTICATED"
    assert "run `flyte-sidecar login`" in error.message
    assert len(provider.exchanges) == 1


async def test_a_login_stored_during_a_refused_refresh_is_used(
    connect: Connect,
    deployment: Server,
    provider: Provider,
    rejected: Rejected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rejected.add("old")
    async with connect() as connection:
        await connection.keep("old", "consumed")
        post = connection.http.post

        async def post_late(*args: object, **how: object) -> object:
            """Respond after the flyte command has stored another login."""
            response = await post(*args, **how)
            await connection.keep("new", "other")
            return response

        monkeypatch.setattr(connection.http, "post", post_late)
        with without_login():
            await connection.call()
    assert deployment.requests[-1][2]["authorization"] == "Bearer new"


async def test_an_unreachable_provider_asks_nobody_and_deletes_nothing(
    connect: Connect, deployment: Server, provider: Provider, person: Person, rejected: Rejected
) -> None:
    deployment.auth.metadata = provider.metadata(token_endpoint="https://127.0.0.1:1/token")
    rejected.add("old")
    async with connect() as connection:
        await connection.keep("old", "refresh")
        error = await failure(connection)
        assert await connection.stored() == ("old", "refresh")
    assert error.status == "UNAVAILABLE"
    assert person.required_logins == []


async def test_a_denied_login_fails_at_once_for_a_while(
    connect: Connect, deployment: Server, person: Person
) -> None:
    person.does = person.denies
    async with connect("DeviceFlow") as connection:
        errors = [await failure(connection) for _ in range(3)]
    expected = "the login was denied: run `flyte-sidecar login` to log in"
    assert {(error.status, error.message) for error in errors} == {("UNAUTHENTICATED", expected)}
    assert person.ended_logins == [(person.required_logins[0], expected)]


async def test_a_login_that_could_not_be_started_is_started_by_the_next_request(
    connect: Connect, deployment: Server, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RpcError("UNAVAILABLE", "offline")

    async with connect("DeviceFlow") as connection:
        with monkeypatch.context() as patch:
            patch.setattr(connection.http, "post", fail)
            assert (await failure(connection)).message == "offline"
        await connection.call()
    assert len(person.required_logins) == 1


async def test_a_login_denied_in_the_browser_fails(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    person.does = person.denies
    deployment.auth.metadata = provider.metadata(device_authorization_endpoint="")
    async with connect() as connection:
        error = await failure(connection)
    assert error.message.startswith("the login was denied: ")


async def test_a_login_stored_after_a_denied_one_is_used(
    connect: Connect, deployment: Server, person: Person
) -> None:
    person.does = person.denies
    async with connect("DeviceFlow") as connection:
        await failure(connection)
        await connection.keep("new", None)
        await connection.call()


async def test_an_expired_code_fails(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    person.does = person.ignores
    deployment.auth.client = public_client(client_id=HASTY_CLIENT)
    async with connect("DeviceFlow") as connection:
        error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert error.message.startswith("the code expired before the login was finished: ")
    assert [ended for _, ended in person.ended_logins] == [error.message]


@pytest.mark.parametrize("kind", ["Pkce", "DeviceFlow"])
async def test_a_login_that_nobody_finishes_fails(
    kind: str, connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    person.does = person.ignores
    if kind == "Pkce":
        deployment.auth.metadata = provider.metadata(device_authorization_endpoint="")
    async with connect(kind, IMPATIENT) as connection:
        error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert error.message.startswith("nobody finished the login within 0.3 s: ")
    assert [ended for _, ended in person.ended_logins] == [error.message]


@pytest.mark.parametrize("kind", ["Pkce", "DeviceFlow"])
async def test_a_login_ends_when_all_requests_that_wait_for_it_are_cancelled(
    kind: str, connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    person.does = person.ignores
    if kind == "Pkce":
        deployment.auth.metadata = provider.metadata(device_authorization_endpoint="")
    async with connect(kind) as connection:
        first, second = (asyncio.ensure_future(connection.call()) for _ in range(2))
        await person.asked.wait()
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        assert person.ended_logins == []
        second.cancel()
        await asyncio.wait([second])
        # The next request starts another login, at the same port if it is fixed.
        person.does = person.logs_in
        await connection.call()
    assert [error for _, error in person.ended_logins] == ["the login was cancelled", None]


async def test_concurrent_requests_share_one_login(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    async with connect("DeviceFlow") as connection:
        await asyncio.gather(*(connection.call() for _ in range(50)))
    assert len(person.required_logins) == 1


async def test_two_processes_ask_one_person_once(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    async with connect("DeviceFlow") as here, connect("DeviceFlow") as there:
        await asyncio.gather(here.call(), there.call())
    assert len(person.required_logins) == 1


async def test_a_request_that_may_not_ask_fails(
    connect: Connect, deployment: Server, person: Person
) -> None:
    async with connect() as connection:
        with without_login():
            error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert error.message.startswith("the login is missing or has expired: ")
    assert person.required_logins == []


async def test_without_a_browser_pkce_shows_a_code(
    connect: Connect, deployment: Server, person: Person
) -> None:
    async with connect() as connection:
        await connection.call()
    assert person.required_logins[0].user_code is not None


@pytest.mark.parametrize("endpoint", ["", "refused"])
async def test_without_a_browser_and_codes_pkce_shows_the_port_to_forward(
    endpoint: str, connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    # The provider responds with an OAuth error at another of its endpoints.
    device = f"{provider.url}/token" if endpoint else ""
    deployment.auth.metadata = provider.metadata(device_authorization_endpoint=device)
    async with connect() as connection:
        await connection.call()
    [login] = person.required_logins
    assert login.user_code is None
    port = urlsplit(parse_qs(urlsplit(login.url).query)["redirect_uri"][0]).port
    assert f"its port {port} is forwarded" in login.message


async def test_localhost_is_accepted_as_the_redirect(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    deployment.auth.client = public_client(redirect_uri="http://localhost/callback")
    deployment.auth.metadata = provider.metadata(device_authorization_endpoint="")
    async with connect() as connection:
        await connection.call()


async def test_the_configured_scopes_are_requested_instead_of_the_announced_ones(
    connect: Connect, deployment: Server, provider: Provider
) -> None:
    async with connect(
        "ClientSecret",
        client_id=SECRET_CLIENT,
        client_secret=Secret(CLIENT_SECRET),
        scopes=("all",),
    ) as connection:
        await connection.call()
    assert provider.exchanges[0]["request"]["scope"] == "all"


async def test_the_deployment_names_the_header_for_tokens(
    connect: Connect, deployment: Server
) -> None:
    assert deployment.auth.client is not None
    deployment.auth.client.authorization_metadata_key = "Flyte-Authorization"
    deployment.auth.header = "flyte-authorization"
    async with connect("DeviceFlow") as connection:
        await connection.call()
    assert "authorization" not in deployment.requests[-1][2]


async def test_an_explicit_login_replaces_a_login_that_is_still_valid(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    async with connect("DeviceFlow") as connection:
        await connection.authenticator.login()
        assert len(person.required_logins) == 1
        await connection.authenticator.login()
        assert len(person.required_logins) == 1
        assert len(provider.exchanges[-1]["request"]["refresh_token"]) > 0
        await connection.keep("valid", None)
        await connection.authenticator.login()


async def test_an_explicit_login_asks_again_after_a_denied_one(
    connect: Connect, deployment: Server, person: Person
) -> None:
    person.does = person.denies
    async with connect("DeviceFlow") as connection:
        await failure(connection)
        person.does = person.logs_in
        await connection.authenticator.login()
        await connection.call()


async def test_a_deployment_without_an_identity_provider_is_reported(
    connect: Connect, server: Server
) -> None:
    async with connect() as connection:
        error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert "announces no identity provider" in error.message


async def test_a_deployment_without_a_client_is_reported(
    connect: Connect, deployment: Server, person: Person
) -> None:
    deployment.auth.client = public_client(client_id="")
    async with connect() as connection:
        error = await failure(connection)
    assert error.message.startswith("the deployment announces no client for logins: ")
    assert person.required_logins == []


async def test_a_deployment_that_requires_no_login_is_called_without_one(
    connect: Connect, server: Server
) -> None:
    server.auth.tokens = None
    async with connect() as connection:
        await connection.call()
    assert "authorization" not in server.requests[-1][2]


@pytest.mark.parametrize("kind", ["Pkce", "DeviceFlow", "ClientSecret"])
async def test_no_secret_is_logged(
    kind: str,
    connect: Connect,
    deployment: Server,
    provider: Provider,
    rejected: Rejected,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    if kind == "Pkce":
        deployment.auth.metadata = provider.metadata(device_authorization_endpoint="")
    robot = {"client_id": SECRET_CLIENT, "client_secret": Secret(CLIENT_SECRET)}
    async with connect(kind, **robot) as connection:
        await connection.call()
        access = provider.issued[-1]["response"]["access_token"]
        rejected.add(access)
        await connection.call()
        await connection.keep(access, "unkn0wn-token")
        rejected.add(provider.issued[-1]["response"]["access_token"])
        await connection.call()
    names = ("access_token", "refresh_token", "code", "code_verifier", "device_code")
    secrets = {
        value
        for exchange in provider.exchanges
        for values in (exchange["request"], exchange["response"])
        for name, value in values.items()
        if name in names
    }
    if kind == "ClientSecret":
        header = provider.exchanges[0]["authorization"].removeprefix("Basic ")
        secrets |= {CLIENT_SECRET, quote_plus(CLIENT_SECRET), header}
    assert len(secrets) > 5
    text = caplog.text + repr([connection, vars(connection.authenticator)])
    assert [secret for secret in secrets if secret in text] == []


async def test_twenty_sidecars_share_one_refresh(
    connect: Connect, deployment: Server, provider: Provider, person: Person, rejected: Rejected
) -> None:
    async with AsyncExitStack() as stack:
        sidecars = [await stack.enter_async_context(connect("DeviceFlow")) for _ in range(20)]
        await sidecars[0].call()
        for expired in range(2):
            rejected.add(provider.issued[-1]["response"]["access_token"])
            await asyncio.gather(*(sidecar.call() for sidecar in sidecars))
            assert len(provider.issued) == 2 + expired
    assert len(person.required_logins) == 1


async def test_tokens_that_were_received_are_stored_although_the_request_is_cancelled(
    connect: Connect, deployment: Server, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, proceed = asyncio.Event(), asyncio.Event()
    async with connect("DeviceFlow") as connection:
        write = connection.store.write

        async def write_slowly(*arguments: Any) -> bool:
            writing.set()
            await proceed.wait()
            return await write(*arguments)

        monkeypatch.setattr(connection.store, "write", write_slowly)
        request = asyncio.ensure_future(connection.call())
        await writing.wait()
        request.cancel()
        await asyncio.wait([request])
        closing = asyncio.ensure_future(connection.authenticator.close())
        await asyncio.sleep(0)
        proceed.set()
        await closing
        response = provider.issued[-1]["response"]
        assert await connection.stored() == (response["access_token"], response["refresh_token"])


@pytest.mark.parametrize("kind", ["Pkce", "DeviceFlow"])
async def test_rotated_tokens_are_stored_although_the_requests_are_cancelled(
    kind: str,
    connect: Connect,
    deployment: Server,
    provider: Provider,
    person: Person,
    rejected: Rejected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connect(kind) as connection:
        access, _ = await log_in(connection, provider, person)
        rejected.add(access)
        asked, proceed = asyncio.Event(), asyncio.Event()
        http = connection.http
        post = http.post

        async def post_slowly(*arguments: Any, **how: Any) -> Any:
            asked.set()
            await proceed.wait()
            return await post(*arguments, **how)

        monkeypatch.setattr(http, "post", post_slowly)
        request = asyncio.ensure_future(connection.call())
        await asked.wait()
        request.cancel()
        await asyncio.wait([request])
        closing = asyncio.ensure_future(connection.authenticator.close())
        await asyncio.sleep(0)
        proceed.set()
        await closing
        [exchange] = provider.issued
        response = exchange["response"]
        assert await connection.stored() == (response["access_token"], response["refresh_token"])


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"WSL_DISTRO_NAME": "Debian"}, "linux", True),
        ({"BROWSER": "w3m", "SSH_CONNECTION": "x"}, "linux", True),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "x"}, "darwin", False),
        ({}, "win32", True),
    ],
)
def test_a_browser_is_expected_where_the_user_sees_it(
    environment: dict[str, str], platform: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert has_browser(environment) is expected


async def test_a_browser_that_cannot_be_started_leaves_the_url_to_the_person(
    connect: Connect, deployment: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "/no/such/browser")
    async with connect() as connection:
        await connection.call()


@pytest.mark.posix
async def test_a_browser_that_stays_open_does_not_hold_up_the_login(
    connect: Connect,
    deployment: Server,
    person: Person,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    script, pid = tmp_path / "browser", tmp_path / "pid"
    write_pid = f"echo $$ >{pid}.new && mv {pid}.new {pid}"
    script.write_text(f"#!/bin/sh\necho printed; {write_pid}\nexec sleep 1000\n")
    script.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(script))

    def log_in_later(url: str) -> None:
        wait_for_file(pid)
        person.logs_in(url)

    person.does = log_in_later
    async with connect() as connection:
        await connection.call()
    os.kill(int(pid.read_text()), signal.SIGKILL)  # it is the user's, and was not closed
    assert "printed" not in capfd.readouterr().out


async def test_a_python_that_is_not_found_leaves_the_url_to_the_person(
    connect: Connect, deployment: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER", "unused")
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    async with connect() as connection:
        await connection.call()


async def test_a_code_that_the_provider_did_not_issue_is_refused(
    connect: Connect, deployment: Server, provider: Provider, person: Person
) -> None:
    def forge(url: str) -> None:
        query = parse_qs(urlsplit(url).query)
        forged = urlencode({"code": "s3cret-forged", "state": query["state"][0]})
        build_opener(ProxyHandler({})).open(f"{query['redirect_uri'][0]}?{forged}").close()

    person.does = forge
    deployment.auth.metadata = provider.metadata(device_authorization_endpoint="")
    async with connect() as connection:
        error = await failure(connection)
    assert error.message.startswith("the login was refused: invalid_grant")
    assert "s3cret" not in error.message


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [("Pkce", "authorization_endpoint"), ("DeviceFlow", "device_authorization_endpoint")],
)
async def test_a_missing_endpoint_is_reported(
    kind: str, endpoint: str, connect: Connect, deployment: Server, provider: Provider
) -> None:
    nothing = {"device_authorization_endpoint": "", endpoint: ""}
    deployment.auth.metadata = provider.metadata(**nothing)
    async with connect(kind) as connection:
        error = await failure(connection)
    assert error.status == "UNAUTHENTICATED"
    assert f"the deployment announces no {endpoint.replace('_', ' ')}: " in error.message


async def test_a_missing_package_is_reported_with_the_remedy(
    connect: Connect, deployment: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "oauthlib.oauth2", None)
    async with connect("DeviceFlow") as connection:
        error = await failure(connection)
    assert error.status == "FAILED_PRECONDITION"
    assert "pip install 'flyte-sidecar[flyte]'" in error.message
