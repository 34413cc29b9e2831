"""Notifications by webhooks, to real servers."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import trustme
from cloudevents.core.bindings.http import HTTPMessage, from_http_event

from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.notify.notice import DeliveryFailed
from flyte_sidecar.cli.notify.webhook import WebhookChannel
from flyte_sidecar.cli.notify.webhook_signature import SECRET_VARIABLE, load_key
from tests.backends.flyte.connect_proxy import ConnectProxy
from tests.backends.flyte.http_servers import Request, Requests, http_server, response
from tests.cli.notify.events import notice_of, waiting_event

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OK = response(b"", status="204 No Content")
PATH = "/hook/s3cret-path?token=s3cret-token"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", raising=False)
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)


@asynccontextmanager
async def webhook(server: Requests, path: str = PATH) -> AsyncIterator[WebhookChannel]:
    channel = WebhookChannel(f"http://127.0.0.1:{server.port}{path}", load_key(None))
    try:
        yield channel
    finally:
        await channel.close()


async def test_an_event_is_posted_as_a_signed_cloud_event() -> None:
    created_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    event = waiting_event(prompt="Deploy \x1b[31m\u202e?", created_at=created_at)
    async with http_server(OK) as server, webhook(server) as channel:
        await channel.deliver([notice_of(event)])
    [request] = server.received
    assert request.line == f"POST {PATH} HTTP/1.1"
    standardwebhooks.Webhook(SECRET).verify(request.body, request.headers)
    assert request.headers["webhook-id"] == "id-deploy"
    assert "cookie" not in request.headers
    parsed = from_http_event(HTTPMessage(request.headers, request.body))
    assert parsed.get_id() == "id-deploy"
    assert parsed.get_type() == "flyte-sidecar.event.waiting"
    assert parsed.get_source().startswith("flyte-sidecar://")
    assert parsed.get_subject() == "r1/action-deploy"
    assert parsed.get_time() == created_at
    data: Any = parsed.get_data()
    assert (data["runName"], data["prompt"], data["pending"]) == ("r1", event.prompt, True)


async def test_cookies_are_not_sent_back() -> None:
    answer = response(b"", status="204 No Content", more="Set-Cookie: a=b\r\n")
    async with http_server(answer) as server, webhook(server) as channel:
        for _ in range(2):
            await channel.deliver([notice_of(waiting_event())])
    assert [request.headers.get("cookie") for request in server.received] == [None, None]


async def test_a_changed_body_has_no_valid_signature() -> None:
    async with http_server(OK) as server, webhook(server) as channel:
        await channel.deliver([notice_of(waiting_event())])
    [request] = server.received
    verifier = standardwebhooks.Webhook(SECRET)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(request.body.replace(b"deploy", b"delete"), request.headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier.verify(request.body, {**request.headers, "webhook-id": "other"})


async def test_a_reminder_says_so_and_names_the_deployment() -> None:
    event = waiting_event()
    notice = notice_of(event, reason="reminder")
    notice = type(notice)(notice.id, ("flyte:host.example:443", "key"), event, "reminder")
    async with http_server(OK) as server, webhook(server) as channel:
        await channel.deliver([notice])
    parsed = from_http_event(HTTPMessage(server.received[0].headers, server.received[0].body))
    assert parsed.get_type() == "flyte-sidecar.event.reminder"
    assert parsed.get_source() == "flyte://host.example:443"


async def test_without_a_secret_requests_are_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    async with http_server(OK) as server, webhook(server) as channel:
        await channel.deliver([notice_of(waiting_event())])
    assert server.received[0].headers["webhook-id"] == "id-deploy"
    assert "webhook-signature" not in server.received[0].headers


@pytest.mark.parametrize(
    ("status", "more", "retryable", "retry_after"),
    [
        ("500 Internal Server Error", "", True, None),
        ("503 Service Unavailable", "Retry-After: 120\r\n", True, 120),
        ("429 Too Many Requests", "Retry-After: soon\r\n", True, None),
        ("429 Too Many Requests", f"Retry-After: {formatdate(0, usegmt=True)}\r\n", True, 0),
        ("404 Not Found", "Retry-After: 120\r\n", False, None),
        ("410 Gone", "", False, None),
        ("301 Moved Permanently", "Location: http://127.0.0.1:1/other\r\n", False, None),
        ("304 Not Modified", "", False, None),
    ],
)
async def test_a_rejected_request_is_retried_if_that_may_help(
    status: str, more: str, retryable: bool, retry_after: float | None
) -> None:
    answer = response(b"s3cret", status=status, more=more)
    async with http_server(answer) as server, webhook(server) as channel:
        with pytest.raises(DeliveryFailed) as failed:
            await channel.deliver([notice_of(waiting_event())])
    assert len(server.received) == 1  # a redirect is not followed
    assert (failed.value.retryable, failed.value.retry_after) == (retryable, retry_after)
    assert failed.value.affects_all == (status[:3] in ("429", "503"))
    assert status[:3] in str(failed.value)
    assert "s3cret" not in str(failed.value)


async def test_a_date_to_retry_at_is_converted() -> None:
    at = formatdate(time.time() + 3600, usegmt=True)
    answer = response(b"", status="503 Busy", more=f"Retry-After: {at}\r\n")
    async with http_server(answer) as server, webhook(server) as channel:
        with pytest.raises(DeliveryFailed) as failed:
            await channel.deliver([notice_of(waiting_event())])
    assert failed.value.retry_after is not None
    assert 3000 < failed.value.retry_after <= 3600


async def disconnect(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_a_network_error_is_retried(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with http_server(disconnect) as server, webhook(server) as channel:
        with pytest.raises(DeliveryFailed, match=r"127\.0\.0\.1 cannot be reached") as failed:
            await channel.deliver([notice_of(waiting_event())])
    assert failed.value.retryable
    assert failed.value.affects_all
    async with webhook(server) as channel:
        with pytest.raises(DeliveryFailed, match="refused"):
            await channel.deliver([notice_of(waiting_event())])
    assert "s3cret" not in caplog.text


async def test_the_log_has_no_part_of_the_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with http_server(OK) as server, webhook(server) as channel:
        await channel.deliver([notice_of(waiting_event())])
    assert "s3cret" not in caplog.text
    assert "s3cret" not in channel.lease_name


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


async def test_the_certificate_of_the_receiver_is_verified(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_server(OK, ca.issue_cert("localhost")) as server:
        url = f"https://localhost:{server.port}/"
        untrusting = WebhookChannel(url, None)
        with pytest.raises(DeliveryFailed, match="certificate verify failed") as failed:
            await untrusting.deliver([notice_of(waiting_event())])
        assert failed.value.retryable  # the certificate may be renewed
        await untrusting.close()
        ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        trusting = WebhookChannel(url, None)
        await trusting.deliver([notice_of(waiting_event())])
        await trusting.close()
    assert len(server.received) == 1


async def test_a_proxy_is_used_for_other_machines(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with http_server(OK, ca.issue_cert("hooks.example")) as server:
        with ConnectProxy(f"127.0.0.1:{server.port}") as proxy:
            monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
            channel = WebhookChannel("https://hooks.example/s3cret", None)
            await channel.deliver([notice_of(waiting_event())])
            await channel.close()
            [request] = proxy.requests
    assert request.startswith("CONNECT hooks.example:443 ")
    assert "s3cret" not in request


async def test_no_proxy_is_used_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with http_server(OK) as server, webhook(server) as channel:
        await channel.deliver([notice_of(waiting_event())])
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("hooks.example/s3cret", "begin with https://HOST"),
        ("ftp://hooks.example/s3cret", "begin with https://HOST"),
        ("https:///s3cret", "begin with https://HOST"),
        ("https://hooks.example:port/s3cret", "invalid"),
        ("http://hooks.example/s3cret", "--allow-http"),
        ("http://127.0.0.1.example/s3cret", "--allow-http"),
        ("http://localhost.example/s3cret", "--allow-http"),
    ],
)
def test_a_url_that_cannot_be_used_is_a_usage_error(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as failed:
        WebhookChannel(url, None)
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("socks5://me:s3cret@h.example:1", "socksio"),
        ("foo://me:s3cret@h.example:1", "HTTPS_PROXY"),
        ("http://me:s3cret@[::x", "HTTPS_PROXY"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, proxy: str, message: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(UsageError, match=message) as failed:
        WebhookChannel("https://hooks.example/", None)
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
async def test_http_is_allowed_to_this_machine(host: str) -> None:
    await WebhookChannel(f"http://{host}:1/", None).close()


async def test_http_to_other_machines_can_be_allowed() -> None:
    await WebhookChannel("http://hooks.example/", None, allow_http=True).close()


def key_bytes(size: int) -> str:
    return base64.b64encode(b"k" * size).decode()


@pytest.mark.parametrize(
    "write", [lambda text: text, lambda text: f"{text}\n", lambda text: text.rstrip("=")]
)
def test_a_secret_is_read_from_a_file(tmp_path: Path, write: Callable[[str], str]) -> None:
    file = tmp_path / "secret"
    for secret in (SECRET, SECRET.removeprefix("whsec_"), key_bytes(24), key_bytes(64)):
        file.write_text(write(secret))
        key = load_key(str(file))
        assert key is not None
        headers = key.headers("id", int(time.time()), b"{}")
        standardwebhooks.Webhook(secret).verify("{}", headers)


@pytest.mark.parametrize(
    "secret", ["", "s3cret", f"whsec_{key_bytes(23)}", key_bytes(65), "ä" * 40]
)
def test_an_invalid_secret_is_a_usage_error(tmp_path: Path, secret: str) -> None:
    (tmp_path / "file").write_text(secret)
    with pytest.raises(UsageError, match="24 to 64 bytes") as failed:
        load_key(str(tmp_path / "file"))
    assert not secret or secret not in str(failed.value)


def test_a_missing_secret_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_key(str(tmp_path / "none"))
