"""The OAuth configuration that a deployment announces."""

from __future__ import annotations

from typing import Any

import pytest
from flyteidl2.auth.auth_service_pb2 import GetOAuth2MetadataResponse
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.auth.discovery import Discovery, OAuthConfig, is_web_url
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from tests.backends.flyte.auth.connection import Connect
from tests.fake_runservice.server import Server
from tests.oidc_provider.provider import public_client

IDP = "https://idp.example.com"


def metadata(**changes: str) -> GetOAuth2MetadataResponse:
    return GetOAuth2MetadataResponse(
        authorization_endpoint=changes.get("authorization_endpoint", f"{IDP}/authorize"),
        token_endpoint=changes.get("token_endpoint", f"{IDP}/token"),
        device_authorization_endpoint=changes.get("device_authorization_endpoint", ""),
    )


async def discover(connect: Connect, scopes: tuple[str, ...] = ()) -> OAuthConfig:
    async with connect() as connection:
        discovery = Discovery(connection.unauthenticated, scopes)
        found = await discovery.config()
        assert await discovery.config() is found
        return found


async def header(connect: Connect) -> str:
    async with connect() as connection:
        return await Discovery(connection.unauthenticated, ()).header()


async def failure(connect: Connect) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await discover(connect)
    return caught.value


async def test_what_is_announced_is_returned(connect: Connect, server: Server) -> None:
    server.auth.metadata = metadata(device_authorization_endpoint=f"{IDP}/device")
    server.auth.client = public_client(audience="https://flyte.example.com")
    assert await discover(connect) == OAuthConfig(
        client_id="flyte-public",
        redirect_uri="http://127.0.0.1/callback",
        scopes=("openid", "all"),
        audience="https://flyte.example.com",
        authorization_endpoint=f"{IDP}/authorize",
        token_endpoint=f"{IDP}/token",
        device_endpoint=f"{IDP}/device",
    )


async def test_configured_scopes_replace_the_announced_ones(
    connect: Connect, server: Server
) -> None:
    server.auth.metadata = metadata()
    assert (await discover(connect, ("own",))).scopes == ("own",)


@pytest.mark.parametrize("key", ["", "two words", "x\r\ny: z", "t\u00f6", "grpc-x", "x-bin"])
async def test_an_invalid_header_is_replaced_by_the_default(
    key: str, connect: Connect, server: Server
) -> None:
    server.auth.client = public_client(authorization_metadata_key=key)
    assert await header(connect) == "authorization"


async def test_the_announced_header_is_in_lower_case(connect: Connect, server: Server) -> None:
    server.auth.client = public_client(authorization_metadata_key="Flyte-Authorization")
    assert await header(connect) == "flyte-authorization"


async def test_everything_is_discovered_with_two_calls(
    connect: Connect, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.auth.metadata = metadata()
    called: list[str] = []
    async with connect() as connection:
        transport = connection.unauthenticated
        call = transport.call

        async def count(rpc: Any, *arguments: Any) -> Any:
            called.append(rpc.name)
            return await call(rpc, *arguments)

        monkeypatch.setattr(transport, "call", count)
        discovery = Discovery(transport, ())
        for _ in range(2):
            await discovery.config()
            await discovery.header()
    assert sorted(called) == ["GetOAuth2Metadata", "GetPublicClientConfig"]


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example.com/token",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "//idp.example.com",
        "/token",
        "https://",
        "https://user:s3cret@idp.example.com/",
        "https://idp.example.com/ s3cret",
        "https://idp.example.com/\ns3cret",
        "https://idp.example.com:99999/",
        "https://[::1/",
        f"https://idp.example.com/{'x' * 2000}",
        "https://\u0456dp.example.com/",
    ],
)
def test_a_url_that_is_not_secure_is_rejected(url: str) -> None:
    assert not is_web_url(url, secure=True)


@pytest.mark.parametrize(
    "name", ["token_endpoint", "authorization_endpoint", "device_authorization_endpoint"]
)
async def test_an_endpoint_that_is_not_secure_is_rejected(
    name: str, connect: Connect, server: Server
) -> None:
    server.auth.metadata = metadata(**{name: "http://s3cret.example.com/"})
    error = await failure(connect)
    assert error.status == "UNAUTHENTICATED"
    assert error.message == f"the {name.replace('_', ' ')} of the deployment is not an https URL"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9000", "[::1]:9000"])
async def test_an_endpoint_on_this_machine_needs_no_tls(
    host: str, connect: Connect, server: Server
) -> None:
    server.auth.metadata = metadata(token_endpoint=f"http://{host}/token")
    assert (await discover(connect)).token_endpoint == f"http://{host}/token"


async def test_missing_endpoints_are_reported(connect: Connect, server: Server) -> None:
    server.auth.metadata = metadata(token_endpoint="")
    assert (await failure(connect)).message == "the deployment announces no token endpoint"
    server.auth.client = None
    assert "announces no identity provider" in (await failure(connect)).message


async def test_a_deployment_that_is_down_is_unavailable(connect: Connect, server: Server) -> None:
    server.stop()
    assert (await failure(connect)).status == "UNAVAILABLE"


async def test_the_header_is_needed_only_from_a_deployment_that_responds(
    connect: Connect, server: Server
) -> None:
    server.auth.client = None
    async with connect() as connection:
        discovery = Discovery(connection.unauthenticated, ())
        assert await discovery.header() == "authorization"
        server.stop()
        with pytest.raises(RpcError) as caught:
            await discovery.header()
    assert caught.value.status == "UNAVAILABLE"


@given(st.text() | st.text().map("https://{}".format) | st.text().map("http://localhost{}".format))
def test_any_url_is_checked(url: str) -> None:
    for secure in (True, False):
        if is_web_url(url, secure=secure):
            assert url.lower().startswith(("https://", "http://"))
            assert url.isascii()
            assert url.isprintable()
            assert " " not in url
