"""Logins that a person finishes, but that are of no use: nobody is asked again and again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from flyte_sidecar.backends.flyte.auth.failed_login import FailedLogin
from flyte_sidecar.backends.flyte.auth.interactive.failures import LoginCancelled, login_failed
from flyte_sidecar.backends.flyte.auth.interactive.shown import shown
from flyte_sidecar.backends.flyte.rpc.http_client import HttpResponse
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from tests.backends.flyte.auth.connection import Connect, Connection, Person
from tests.fake_runservice.server import Server
from tests.oidc_provider.provider import Provider

Change = Callable[[HttpResponse], HttpResponse]


def change_responses(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    """Change what the connection receives from the provider."""
    http = connection.http
    post = http.post

    async def changed(*arguments: Any, **how: Any) -> HttpResponse:
        return change(await post(*arguments, **how))

    monkeypatch.setattr(http, "post", changed)


def without_refresh_token(response: HttpResponse) -> HttpResponse:
    members = json.loads(response.body)
    members.pop("refresh_token", None)
    return HttpResponse(response.status, response.content_type, json.dumps(members).encode())


async def failure(connection: Connection) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await connection.call()
    return caught.value


async def test_a_person_is_asked_once_if_the_server_rejects_the_new_login(
    connect: Connect, deployment: Server, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.auth.tokens = set()
    async with connect() as connection:
        change_responses(connection, monkeypatch, without_refresh_token)
        first, second = await failure(connection), await failure(connection)
    assert len(person.required_logins) == len(person.ended_logins) == 1
    assert first.status == second.status == "UNAUTHENTICATED"
    assert "the server rejects the new login" in first.message
    assert second.message == first.message


async def test_a_login_that_was_accepted_and_expired_soon_is_replaced_by_a_person(
    connect: Connect,
    deployment: Server,
    provider: Provider,
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with connect() as connection:
        change_responses(connection, monkeypatch, without_refresh_token)
        await connection.call()
        deployment.auth.tokens.add(provider.issued[0]["response"]["access_token"])
        await connection.call()
    assert len(person.required_logins) == 2


async def test_a_person_is_asked_once_if_the_provider_fails_after_they_have_logged_in(
    connect: Connect,
    deployment: Server,
    provider: Provider,
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deployment.auth.metadata = provider.metadata(device_authorization_endpoint="")
    async with connect() as connection:
        change_responses(connection, monkeypatch, lambda _: HttpResponse(503, "text/html", b""))
        first, second = await failure(connection), await failure(connection)
    [(_, ended)] = person.ended_logins
    assert first.status == second.status == "UNAVAILABLE"
    assert first.message == second.message == ended


async def test_an_error_of_a_login_is_not_taken_for_a_cancellation(person: Person) -> None:
    expires_at = datetime.now(UTC)
    with pytest.raises(TimeoutError):
        async with shown(person, "https://login.example.com", None, "Log in", expires_at):
            raise TimeoutError


async def test_nobody_is_asked_for_a_while_or_after_a_cancelled_login_at_all(
    person: Person,
) -> None:
    failed, denied = FailedLogin(person, 0.0), FailedLogin(person, 3600.0)
    denied.record(login_failed("the login was denied"))
    with pytest.raises(RpcError, match="denied"):
        denied.check()
    failed.record(login_failed("the login was denied"))
    failed.check()  # the time is over
    failed.record(login_failed("the login was cancelled", LoginCancelled))
    with pytest.raises(RpcError, match="cancelled"):
        failed.check()
    person.asked_again += 1
    failed.check()
    denied.check()
    denied.record(login_failed("the login was denied"))
    with pytest.raises(RpcError, match="denied"):
        denied.check()
