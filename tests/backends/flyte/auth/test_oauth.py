"""Responses that no identity provider should send, and logins by a code in all their ends."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.auth import oauth
from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.discovery import OAuthConfig
from flyte_sidecar.backends.flyte.auth.interactive.device_login import log_in_by_device
from flyte_sidecar.backends.flyte.auth.oauth import (
    MAX_RESPONSE_BYTES,
    DeviceCode,
    OAuthError,
    TokenClient,
    open_token_client,
)
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc import tls
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from tests.backends.flyte.auth.connection import QUICK, Person
from tests.backends.flyte.http_servers import Request, Requests, http_server, response

OLD = "s3cret-old-token"
DEVICE = {
    "device_code": "s3cret-device",
    "user_code": "ABCD-EFGH",
    "verification_uri": "https://idp.example.com/device?tenant=a#top",
    "expires_in": 600,
    "interval": 1,
}
TOKENS = {"access_token": "new", "refresh_token": "rotated", "token_type": "Bearer"}


def as_json(value: object, status: str = "200 OK") -> bytes:
    return response(json.dumps(value).encode(), status=status)


def refusal(code: str, **more: object) -> bytes:
    return as_json({"error": code, **more}, "400 Bad Request")


class Idp:
    """A client of a server whose responses a test chooses."""

    def __init__(self, client: TokenClient, requests: Requests) -> None:
        self.client = client
        self.requests = requests

    @property
    def bodies(self) -> list[dict[str, list[str]]]:
        return [parse_qs(request.body.decode()) for request in self.requests.received]

    async def refresh(self) -> Login:
        return await self.client.refresh(OLD, with_scopes=True)

    async def failure(self) -> RpcError:
        """Return the error of a refresh, after checks that hold for every error."""
        with pytest.raises(RpcError) as caught:
            await self.refresh()
        assert_plain(caught.value.message)
        return caught.value


def assert_plain(message: str) -> None:
    assert message.isprintable()
    assert len(message) < 700
    assert "s3cret" not in message


@pytest.fixture
def idp(ca: trustme.CA, ca_file: str) -> Any:
    @asynccontextmanager
    async def serve(*responses: bytes) -> AsyncIterator[Idp]:
        """Serve the responses, and the last one again and again."""
        left = list(responses)

        async def respond(_: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(left.pop(0) if len(left) > 1 else left[0])

        async with http_server(respond, ca.issue_cert("127.0.0.1")) as requests:
            deployment = Deployment(endpoint="flyte.example.com", ca_cert_file=ca_file)
            http = HttpClient(deployment, await tls.load_trust(deployment), "tests")
            url = f"https://127.0.0.1:{requests.port}"
            config = OAuthConfig(
                client_id="client",
                redirect_uri="http://127.0.0.1/callback",
                scopes=("openid", "all"),
                audience="https://flyte.example.com",
                authorization_endpoint=f"{url}/authorize",
                token_endpoint=f"{url}/token",
                device_endpoint=f"{url}/device",
            )
            try:
                yield Idp(await open_token_client(config, http), requests)
            finally:
                await http.close()

    return serve


async def test_a_response_without_a_refresh_token_keeps_the_old_one(idp: Any) -> None:
    async with idp(as_json({"access_token": "new"})) as server:
        login = await server.refresh()
    assert login == Login(Secret("new"), Secret(OLD))
    [request] = server.requests.received
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["accept"] == "application/json"


async def test_other_members_of_a_response_have_no_effect(idp: Any) -> None:
    odd = {**TOKENS, "expires_in": -1, "scope": ["other"], "token_type": None}
    for expires_in in (-1, 1 << 70, "soon", None, [], 0.5):
        async with idp(as_json({**odd, "expires_in": expires_in})) as server:
            assert await server.refresh() == Login(Secret("new"), Secret("rotated"))


@pytest.mark.parametrize("status", ["500 Oops", "502 Bad Gateway", "503 Wait", "429 Slow down"])
async def test_a_provider_that_is_overloaded_is_unavailable(status: str, idp: Any) -> None:
    async with idp(response(b"<html>s3cret</html>", "text/html", status)) as server:
        error = await server.failure()
    assert error.status == "UNAVAILABLE"
    assert f"responded with HTTP {status[:3]}" in error.message


@pytest.mark.parametrize("code", ["server_error", "temporarily_unavailable"])
async def test_a_provider_that_reports_a_transient_error_is_unavailable(
    code: str, idp: Any
) -> None:
    async with idp(refusal(code)) as server:
        error = await server.failure()
    assert error.status == "UNAVAILABLE"
    assert error.message.endswith(f" failed: {code}")


@pytest.mark.parametrize("status", ["200 OK", "403 Forbidden", "404 Not Found", "302 Found"])
@pytest.mark.parametrize("body", [b"<html>s3cret</html>", b"", b"\xff{}", b"access_token=s3cret"])
async def test_a_response_that_is_not_json_is_reported_without_it(
    status: str, body: bytes, idp: Any
) -> None:
    async with idp(response(body, "text/HTML", status)) as server:
        error = await server.failure()
    assert error.status == "UNAVAILABLE"
    assert f"responded with HTTP {status[:3]} (text/html), not as OAuth" in error.message


@pytest.mark.parametrize(
    "body",
    [
        [],
        "s3cret",
        17,
        None,
        {},
        {"access_token": ""},
        {"access_token": None},
        {"access_token": 17},
        {"access_token": ["s3cret"]},
        {"access_token": "s3cret\nx: y"},
        {"access_token": "s3cret t"},
        {"access_token": "s3cr\u00e9t"},
        {"access_token": "s3cret", "refresh_token": 17},
        {"error": {"s3cret": 1}},
    ],
)
async def test_a_response_without_a_usable_token_is_reported_without_it(
    body: object, idp: Any
) -> None:
    async with idp(as_json(body)) as server:
        error = await server.failure()
    assert error.status in ("UNAUTHENTICATED", "UNAVAILABLE")
    assert "the identity provider 127.0.0.1:" in error.message


async def test_deeply_nested_json_is_survived(idp: Any) -> None:
    async with idp(response(b'{"access_token":' + b"[" * 100_000)) as server:
        await server.failure()


async def test_a_huge_response_is_not_read_to_its_end(idp: Any) -> None:
    async with idp(response(b" " * (MAX_RESPONSE_BYTES + 1))) as server:
        error = await server.failure()
    assert f"larger than {MAX_RESPONSE_BYTES} bytes" in error.message


async def test_a_provider_that_never_responds_is_unavailable(
    idp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "REQUEST_TIMEOUT", 0.1)
    async with idp(b"") as server:
        error = await server.failure()
    assert error.status == "UNAVAILABLE"
    assert "did not respond within 0.1 s" in error.message


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request", "401 Unauthorized"])
async def test_a_refusal_is_quoted_on_one_line_and_without_secrets(status: str, idp: Any) -> None:
    description = "no\n\x1b[2J" + "x" * 10_000
    body = {"error": "invalid_grant", "error_description": description, "access_token": "s3cret"}
    async with idp(as_json(body, status)) as server:
        with pytest.raises(OAuthError) as caught:
            await server.refresh()
    assert caught.value.code == "invalid_grant"
    assert caught.value.reason.startswith("invalid_grant: no \\x1b[2Jxxx")
    assert_plain(caught.value.reason)


async def test_a_refusal_that_echoes_the_token_is_not_quoted(idp: Any) -> None:
    async with idp(refusal(f"bad {OLD}", error_description=f"{OLD} is unknown")) as server:
        with pytest.raises(OAuthError) as caught:
            await server.refresh()
    assert str(caught.value) == caught.value.reason == "no reason given"


@pytest.mark.parametrize("form", ["a +b", "a+%2Bb", b64encode(b"me:a+%2Bb").decode()])
async def test_a_refusal_that_echoes_the_client_secret_is_not_quoted(form: str, idp: Any) -> None:
    async with idp(refusal("invalid_client", error_description=f"no such {form}")) as server:
        with pytest.raises(OAuthError) as caught:
            await server.client.client_credentials("me", "a +b")
    assert caught.value.reason == "invalid_client"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
async def test_any_value_of_any_member_is_survived(ca: Any, value: object) -> None:
    body = json.dumps({"error": value, "error_description": value, "access_token": value}).encode()
    assert oauth._decode(body, oauth._Refusal) is None or isinstance(value, str | None)


async def start(server: Idp) -> DeviceCode:
    return await server.client.start_device_login()


async def by_device(server: Idp, code: DeviceCode, person: Person, **timing: float) -> Login:
    timing = {"device_poll_interval": 0.01, "device_slow_down": 0.01, **timing}
    return await log_in_by_device(
        replace(code, interval=None), server.client, person, "flyte", replace(QUICK, **timing)
    )


@pytest.fixture
def bystander(ca_file: str) -> Person:
    """A person who does nothing."""
    person = Person(ca_file)
    person.does = person.ignores
    return person


async def device_failure(
    idp: Any, person: Person, *polls: bytes, device: object = DEVICE, **timing: float
) -> str:
    """Return why a login by a code fails."""
    async with idp(as_json(device), *(polls or (refusal("authorization_pending"),))) as server:
        with pytest.raises(RpcError) as caught:
            await by_device(server, await start(server), person, **timing)
    assert caught.value.status == "UNAUTHENTICATED"
    assert_plain(caught.value.message)
    return caught.value.message


async def test_a_code_is_polled_for_until_a_person_has_entered_it(
    idp: Any, bystander: Person
) -> None:
    polls = [
        refusal("authorization_pending"),
        response(b"<html></html>", "text/html", "503 Service Unavailable"),
        refusal("slow_down"),
        response(b"", status="429 Too Many Requests"),
        response(b"<html></html>", "text/html"),
        as_json(TOKENS),
    ]
    async with idp(as_json(DEVICE), *polls) as server:
        login = await by_device(server, await start(server), bystander)
    assert login == Login(Secret("new"), Secret("rotated"))
    first, *others = server.bodies
    requested = {
        "client_id": ["client"],
        "scope": ["openid all"],
        "audience": ["https://flyte.example.com"],
    }
    assert first == requested
    assert others == len(polls) * [
        {
            **requested,
            "grant_type": ["urn:ietf:params:oauth:grant-type:device_code"],
            "device_code": ["s3cret-device"],
        }
    ]
    [shown] = bystander.required_logins
    assert shown.url == "https://idp.example.com/device?tenant=a&user_code=ABCD-EFGH#top"
    assert shown.user_code == "ABCD-EFGH"


async def test_slow_down_makes_the_interval_longer_for_good(
    idp: Any, bystander: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[float] = []
    sleep = asyncio.sleep

    async def record(seconds: float) -> None:
        delays.append(seconds)
        await sleep(0)

    polls = [refusal("slow_down"), refusal("authorization_pending"), refusal("slow_down")]
    async with idp(as_json(DEVICE), *polls, as_json(TOKENS)) as server:
        code = await start(server)
        monkeypatch.setattr(asyncio, "sleep", record)
        timing = replace(QUICK, device_poll_interval=5.0, device_slow_down=5.0)
        await log_in_by_device(code, server.client, bystander, "flyte", timing)
    assert [delay for delay in delays if delay >= 1] == [1, 6, 6, 11]


async def test_each_end_of_a_login_by_a_code_has_its_own_error(idp: Any, bystander: Person) -> None:
    remedy = ": run `flyte-sidecar login` to log in"
    assert await device_failure(idp, bystander, refusal("access_denied")) == (
        f"the login was denied{remedy}"
    )
    expired = f"the code expired before the login was finished{remedy}"
    assert await device_failure(idp, bystander, refusal("expired_token")) == expired
    short = {**DEVICE, "expires_in": 0.05}
    assert await device_failure(idp, bystander, device=short) == expired
    assert await device_failure(idp, bystander, login_timeout=0.05) == (
        f"nobody finished the login within 0.05 s{remedy}"
    )
    assert await device_failure(idp, bystander, refusal("invalid_client")) == (
        f"the login was refused: invalid_client{remedy}"
    )
    assert [error for _, error in bystander.ended_logins].count(None) == 0


@pytest.mark.parametrize("lifetime", [-1, 0, 1e300, 1 << 62, "600", None])
@pytest.mark.parametrize("interval", [-5, 0, 1e300, 1 << 62, "5", None])
async def test_odd_lifetimes_and_intervals_are_replaced(
    lifetime: object, interval: object, idp: Any, bystander: Person
) -> None:
    device = {**DEVICE, "expires_in": lifetime, "interval": interval}
    async with idp(as_json(device), as_json(TOKENS)) as server:
        await by_device(server, await start(server), bystander)
    [login] = bystander.required_logins
    assert 0 < (login.expires_at - QUICK.now()).total_seconds() <= 300


@pytest.mark.parametrize(
    "changes",
    [
        {"verification_uri": "javascript:s3cret"},
        {"verification_uri": "https://s3cret@idp.example.com/"},
        {"verification_uri": "https://idp.example.com/\x1b[2Js3cret"},
        {"user_code": ""},
        {"user_code": "s3cret\x1b[2J"},
        {"user_code": "s3cret" * 20},
        {"user_code": None},
        {"device_code": 17},
        {"verification_uri": None},
    ],
)
async def test_a_hostile_code_is_shown_to_nobody(
    changes: dict[str, object], idp: Any, bystander: Person
) -> None:
    await device_failure(idp, bystander, device={**DEVICE, **changes})
    assert bystander.required_logins == []


@pytest.mark.parametrize(
    ("complete", "expected"),
    [
        (
            "https://idp.example.com/device?c=ABCD-EFGH",
            "https://idp.example.com/device?c=ABCD-EFGH",
        ),
        ("javascript:alert(1)", "https://idp.example.com/device?tenant=a&user_code=ABCD-EFGH#top"),
    ],
)
async def test_the_url_with_the_code_is_preferred_if_it_is_safe(
    complete: str, expected: str, idp: Any, bystander: Person
) -> None:
    device = {**DEVICE, "verification_uri_complete": complete}
    async with idp(as_json(device), as_json(TOKENS)) as server:
        await by_device(server, await start(server), bystander)
    assert bystander.required_logins[0].url == expected


async def test_no_representation_shows_a_secret(idp: Any) -> None:
    async with idp(as_json(DEVICE)) as server:
        code = await start(server)
    assert "s3cret" not in repr(code)
    assert "s3cret" not in repr(Login(Secret("s3cret"), Secret("s3cret")))
