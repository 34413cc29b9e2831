"""Notifications by signed HTTP requests.

httpx sends them: it reads the proxy variables as other programs do, and follows no redirects.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

from flyte_sidecar._version import VERSION
from flyte_sidecar.backends.flyte.rpc import tls
from flyte_sidecar.backends.flyte.rpc.http_errors import connection_failure
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.notify.cloud_event import CONTENT_TYPE, cloud_event
from flyte_sidecar.cli.notify.notice import DeliveryFailed, Notice
from flyte_sidecar.cli.notify.webhook_signature import SigningKey, unsigned_headers
from flyte_sidecar.events.delivery_leases import EventName

if TYPE_CHECKING:
    import httpx

CONCURRENCY = 4
"""Number of requests at once."""

CONNECT_TIMEOUT = 10.0
"""Seconds to connect."""

RETRYABLE = frozenset({408, 425, 429})
"""Statuses below 500 after which the same request may succeed later."""

OVERLOADED = frozenset({429, 503})
"""Statuses after which other requests would fail too."""

logger = logging.getLogger(__name__)


class WebhookChannel:
    """A `Channel` that posts each event as a CloudEvent.

    The URL may contain a secret. Messages and the log have only its host.

    Parameters
    ----------
    key
        Signs the requests; None for requests without a signature.
    allow_http
        Whether requests may be sent without TLS to other machines.

    Raises
    ------
    UsageError
        If the URL cannot be used, or httpx is not installed.
    """

    name = "webhook"
    batch = 1
    concurrency = CONCURRENCY
    pause = 0.0

    def __init__(self, url: str, key: SigningKey | None, *, allow_http: bool = False) -> None:
        try:
            import httpx
        except ImportError:
            raise UsageError(
                "--webhook requires httpx: run pip install 'flyte-sidecar[notify]'"
            ) from None
        # At the level info, httpx logs URLs, and at debug, httpcore logs headers.
        for library in ("httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)
        try:
            self._url = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise UsageError("--webhook: the URL is invalid") from None
        is_loopback = _is_loopback(self._url.host)
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise UsageError("--webhook: the URL must begin with https://HOST")
        if self._url.scheme == "http" and not (allow_http or is_loopback):
            raise UsageError(
                "--webhook: http:// would send events unencrypted; use https://, or --allow-http"
            )
        if key is None:
            logger.info("requests to %s are not signed: there is no secret", self._url.host)
        self.lease_name = f"webhook {hashlib.sha256(url.encode()).hexdigest()}"
        self._httpx = httpx
        self._key = key
        try:
            self._client = httpx.AsyncClient(
                verify=tls.context_of_others(None) if self._url.scheme == "https" else False,
                trust_env=not is_loopback,  # a proxy is of no use for this machine
                timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT),
                # Requests have nothing to do with each other, and cookies would be kept for ever.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                headers={"user-agent": f"flyte-sidecar/{VERSION}", "content-type": CONTENT_TYPE},
            )
        except ImportError:
            raise UsageError("--webhook: a SOCKS proxy requires pip install socksio") from None
        except (httpx.InvalidURL, ValueError):
            # The original message may contain the password of the proxy.
            raise UsageError(
                "--webhook: HTTPS_PROXY, HTTP_PROXY and ALL_PROXY must be URLs that begin with"
                " http://, https:// or socks5://"
            ) from None

    async def deliver(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            await self._post(notice)

    async def withdraw(self, names: Sequence[EventName]) -> None:
        """Do nothing: the receiver may look whether an event still waits."""

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, notice: Notice) -> None:
        body, now = cloud_event(notice), int(time.time())
        if self._key is None:
            headers = unsigned_headers(notice.id, now)
        else:
            headers = self._key.headers(notice.id, now, body)
        try:
            async with self._client.stream(
                "POST", self._url, content=body, headers=headers
            ) as response:
                _check(response)
        except self._httpx.HTTPError as error:
            reason = connection_failure(error, pinned=False, connect_timeout=CONNECT_TIMEOUT)
            message = f"{self._url.host} cannot be reached: {reason}"
            raise DeliveryFailed(message, affects_all=True) from None


def _check(response: httpx.Response) -> None:
    """Raise `DeliveryFailed` unless the receiver has accepted the request."""
    status = response.status_code
    if response.is_success:
        return
    message = f"{response.url.host} responded with status {status}"
    if response.is_redirect:
        message += ", and redirects are not followed: use the URL of the new place"
    if status in RETRYABLE or status >= 500:
        raise DeliveryFailed(
            message, retry_after=_retry_after(response), affects_all=status in OVERLOADED
        )
    raise DeliveryFailed(message, retryable=False)


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that the receiver asks to wait, None if it does not."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
