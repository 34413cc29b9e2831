"""OAuth requests to a deployment behind a proxy that requires a token of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import trustme

from flyte_sidecar.backends.flyte.auth.authorization import Authorization
from flyte_sidecar.backends.flyte.auth.headers import bearer
from flyte_sidecar.backends.flyte.auth.proxied import ProxiedHttpClient
from flyte_sidecar.backends.flyte.auth.unattended import UnattendedAuthenticator
from flyte_sidecar.backends.flyte.endpoint import Deployment
from flyte_sidecar.backends.flyte.rpc import tls
from flyte_sidecar.backends.flyte.rpc.http_client import HttpClient
from tests.backends.flyte.http_servers import Request, Requests, http_server, response

HEADER = "proxy-authorization"


@asynccontextmanager
async def proxied(
    ca: trustme.CA, ca_file: str, tokens: Iterator[str], valid: str, *, other: bool = False
) -> AsyncIterator[tuple[ProxiedHttpClient, Requests]]:
    """Serve a deployment that accepts one token; with `other`, it is not that of the client."""

    async def respond(request: Request, writer: asyncio.StreamWriter) -> None:
        accepted = request.headers.get(HEADER) == f"Bearer {valid}"
        writer.write(response(b"{}", status="200 OK" if accepted else "401 Unauthorized"))

    async def fetch() -> Authorization:
        return bearer(HEADER, next(tokens), "tests")

    async with http_server(respond, ca.issue_cert("127.0.0.1")) as requests:
        port = requests.port + 1 if other else requests.port
        deployment = Deployment(endpoint=f"127.0.0.1:{port}", ca_cert_file=ca_file)
        http = HttpClient(deployment, await tls.load_trust(deployment), "tests")
        proxy = UnattendedAuthenticator(fetch, "tests")
        try:
            yield ProxiedHttpClient(http, proxy, deployment), requests
        finally:
            await http.close()


async def post(client: ProxiedHttpClient, requests: Requests) -> int:
    sent = await client.post(
        f"https://127.0.0.1:{requests.port}/token",
        content=b"a=b",
        headers={"accept": "application/json"},
        timeout=60.0,
        max_bytes=1000,
    )
    assert {(r.body, r.headers["accept"]) for r in requests.received} == {
        (b"a=b", "application/json")
    }
    return sent.status


def sent(requests: Requests) -> list[str | None]:
    return [request.headers.get(HEADER) for request in requests.received]


async def test_the_header_is_added_for_the_deployment(ca: trustme.CA, ca_file: str) -> None:
    async with proxied(ca, ca_file, iter(["first"]), "first") as (client, requests):
        assert [await post(client, requests) for _ in range(2)] == [200, 200]
    assert sent(requests) == 2 * ["Bearer first"]


async def test_a_rejected_header_is_replaced_once(ca: trustme.CA, ca_file: str) -> None:
    async with proxied(ca, ca_file, iter(["a", "b", "c"]), "b") as (client, requests):
        assert await post(client, requests) == 200
    assert sent(requests) == ["Bearer a", "Bearer b"]
    async with proxied(ca, ca_file, iter(["a", "b", "c"]), "c") as (client, requests):
        assert await post(client, requests) == 401
    assert sent(requests) == ["Bearer a", "Bearer b"]


async def test_a_header_that_stays_the_same_is_not_sent_again(ca: trustme.CA, ca_file: str) -> None:
    async with proxied(ca, ca_file, iter(["a", "a"]), "b") as (client, requests):
        assert await post(client, requests) == 401
    assert sent(requests) == ["Bearer a"]


async def test_another_host_never_receives_the_header(ca: trustme.CA, ca_file: str) -> None:
    async with proxied(ca, ca_file, iter(["a"]), "a", other=True) as (client, requests):
        assert await post(client, requests) == 401
    assert sent(requests) == [None]
