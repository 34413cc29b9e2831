"""Requests to the identity provider of a deployment.

oauthlib builds the requests; it is imported when a client is opened. Responses are decoded here:
oauthlib quotes them in errors and warnings, and accepts tokens that are no strings.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, TypeVar
from urllib.parse import quote_plus, urlencode, urlsplit

from msgspec import DecodeError, Struct, json

from flyte_sidecar._futures import run_in_thread
from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.discovery import OAuthConfig
from flyte_sidecar.backends.flyte.auth.headers import is_token
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.rpc.http_client import HttpResponse
from flyte_sidecar.backends.flyte.rpc.http_errors import missing_package
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.events.plain_text import sanitize

T = TypeVar("T")

REQUEST_TIMEOUT = 30.0
"""Timeout of each request, in seconds."""

MAX_RESPONSE_BYTES = 256 << 10
"""Maximum size of a response, in bytes."""

MAX_QUOTE = 200
"""Maximum length of text of the provider in an error, in characters."""

_TRANSIENT = ("server_error", "temporarily_unavailable")
"""Errors after which the same request may succeed."""


class OAuthHttp(Protocol):
    """Sends requests to identity providers, as `HttpClient` does."""

    async def post(
        self,
        url: str,
        *,
        content: bytes,
        headers: Mapping[str, str],
        timeout: float,
        max_bytes: int,
    ) -> HttpResponse:
        """Return the response to a request."""


class OAuthError(Exception):
    """The provider refused a request.

    Attributes
    ----------
    code
        Why, as OAuth names it: ``invalid_grant``, ``access_denied``, ...
    reason
        The same for people, with the provider's description.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def refusal(code: str, description: str | None, secrets: tuple[str, ...] = ()) -> OAuthError:
    """Return the error for a refusal, which quotes no text that contains one of the secrets."""
    quotes = [
        sanitize(text[:MAX_QUOTE])
        for text in (code, description)
        if text and not any(map(text.__contains__, secrets))
    ]
    return OAuthError(code, ": ".join(quotes) or "no reason given")


class DeviceCode(Struct, frozen=True):
    """A login on another device.

    Attributes
    ----------
    device_code
        Identifies it in requests to the provider.
    user_code, verification_uri, verification_uri_complete
        What a person enters and where; the last already contains the code.
    expires_in, interval
        Its lifetime, and the interval between requests, in seconds; None if the provider sends no
        usable number.
    """

    device_code: Secret[str]
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: float | None
    interval: float | None


class _Refusal(Struct):
    error: str | None = None
    error_description: str | None = None


class _Tokens(Struct):
    access_token: str | None = None
    refresh_token: str | None = None


class _Device(Struct):
    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str = ""
    expires_in: float | None = None
    interval: float | None = None


async def open_token_client(config: OAuthConfig, http: OAuthHttp) -> TokenClient:
    """Return a client of the identity provider.

    Raises
    ------
    RpcError
        If oauthlib is not installed.
    """
    try:
        await run_in_thread(import_module, "oauthlib.oauth2")
    except (ImportError, OSError) as error:
        raise missing_package(error) from None
    return TokenClient(config, http)


class TokenClient:
    """Obtains tokens from the identity provider.

    Every method raises `RpcError` if the provider cannot be reached (`UNAVAILABLE`) or does not
    respond as specified (`UNAUTHENTICATED`), and `OAuthError` if it refuses.
    """

    def __init__(self, config: OAuthConfig, http: OAuthHttp) -> None:
        self._config = config
        self._http = http
        self._host = sanitize(urlsplit(config.token_endpoint).netloc)

    async def exchange_code(self, code: str, redirect_uri: str, verifier: str) -> Login:
        """Return the login for the code that a browser has received."""
        from oauthlib.oauth2 import WebApplicationClient

        body = WebApplicationClient(self._config.client_id).prepare_request_body(
            code, redirect_uri, code_verifier=verifier
        )
        return await self._tokens(body, secrets=(code, verifier))

    async def refresh(self, refresh_token: str, *, with_scopes: bool) -> Login:
        """Return a renewed login, which keeps the refresh token unless the provider rotates it.

        Parameters
        ----------
        with_scopes
            Whether to send the scopes and the audience too.
        """
        from oauthlib.oauth2 import WebApplicationClient

        requested: dict[str, Any] = {}
        if with_scopes:
            requested = {"scope": [*self._config.scopes], "audience": self._config.audience}
        body: str = WebApplicationClient(self._config.client_id).prepare_refresh_body(
            refresh_token=refresh_token, client_id=self._config.client_id, **requested
        )
        login = await self._tokens(body, secrets=(refresh_token,))
        return Login(login.access_token, login.refresh_token or Secret(refresh_token))

    async def client_credentials(self, client_id: str, client_secret: str) -> str:
        """Return an access token for a client with a secret."""
        from oauthlib.oauth2 import BackendApplicationClient

        body = BackendApplicationClient(client_id).prepare_request_body(
            scope=[*self._config.scopes], audience=self._config.audience
        )
        quoted = quote_plus(client_secret)
        credentials = b64encode(f"{client_id}:{quoted}".encode()).decode()
        headers = {"authorization": f"Basic {credentials}"}
        secrets = (client_secret, quoted, credentials)
        return (await self._tokens(body, headers, secrets=secrets)).access_token.reveal()

    async def start_device_login(self) -> DeviceCode:
        """Return the code for a login on another device."""
        params = {"client_id": self._config.client_id, "scope": " ".join(self._config.scopes)}
        if self._config.audience:
            params["audience"] = self._config.audience
        body = urlencode(params)
        device = await self._post(self._config.device_endpoint, body, {}, (), _Device)
        return DeviceCode(
            Secret(device.device_code),
            device.user_code,
            device.verification_uri,
            device.verification_uri_complete,
            _positive(device.expires_in),
            _positive(device.interval),
        )

    async def poll_device_login(self, device_code: Secret[str]) -> Login:
        """Return the login, if a person has finished it."""
        from oauthlib.oauth2 import DeviceClient

        code = device_code.reveal()
        body = DeviceClient(self._config.client_id).prepare_request_body(
            code,
            scope=[*self._config.scopes],
            include_client_id=True,
            audience=self._config.audience,
        )
        return await self._tokens(body, secrets=(code,))

    async def _tokens(
        self, body: str, headers: Mapping[str, str] | None = None, *, secrets: tuple[str, ...]
    ) -> Login:
        found = await self._post(self._config.token_endpoint, body, headers or {}, secrets, _Tokens)
        if not found.access_token:
            raise self._unusable("without a token")
        if not is_token(found.access_token):
            raise self._unusable("with a token that no header can contain")
        refresh = Secret(found.refresh_token) if found.refresh_token else None
        return Login(Secret(found.access_token), refresh)

    async def _post(
        self,
        url: str,
        body: str,
        headers: Mapping[str, str],
        secrets: tuple[str, ...],
        expected: type[T],
    ) -> T:
        """Return the decoded response; `secrets` are what it must not quote in an error."""
        try:
            response = await self._http.post(
                url,
                content=body.encode(),
                headers={
                    "content-type": "application/x-www-form-urlencoded",
                    "accept": "application/json",
                    **headers,
                },
                timeout=REQUEST_TIMEOUT,
                max_bytes=MAX_RESPONSE_BYTES,
            )
        except RpcError as error:
            if error.status == "DEADLINE_EXCEEDED":
                raise RpcError("UNAVAILABLE", error.message) from None
            raise
        if response.status >= 500 or response.status == 429:
            message = f"the identity provider {self._host} responded with HTTP {response.status}"
            raise RpcError("UNAVAILABLE", message)
        answer = _decode(response.body, _Refusal)
        if answer is not None and answer.error is not None:
            refused = refusal(answer.error, answer.error_description, secrets)
            if refused.code in _TRANSIENT:
                message = f"the identity provider {self._host} failed: {refused.reason}"
                raise RpcError("UNAVAILABLE", message)
            raise refused
        decoded = _decode(response.body, expected)
        if response.status != 200 or decoded is None:
            kind = sanitize(response.content_type[:MAX_QUOTE]) or "no media type"
            message = f"responded with HTTP {response.status} ({kind}), not as OAuth specifies"
            # A proxy may have responded, so that the same request may succeed later.
            status = "UNAVAILABLE" if answer is None else "UNAUTHENTICATED"
            raise RpcError(status, f"the identity provider {self._host} {message}")
        return decoded

    def _unusable(self, token: str) -> RpcError:
        message = f"the identity provider {self._host} responded {token}"
        return RpcError("UNAUTHENTICATED", message)


def _decode(body: bytes, expected: type[T]) -> T | None:
    try:
        return json.decode(body, type=expected, strict=False)
    except (DecodeError, RecursionError):
        return None


def _positive(seconds: float | None) -> float | None:
    return seconds if seconds is not None and 0 < seconds < float("inf") else None
