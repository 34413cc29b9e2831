"""The OpenID provider as a process."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
import trustme
from flyteidl2.auth.auth_service_pb2 import GetOAuth2MetadataResponse, GetPublicClientConfigResponse

from tests import npm
from tests.conftest import needs

HERE = Path(__file__).parent

PUBLIC_CLIENT = "flyte-public"
HASTY_CLIENT = "flyte-hasty"
"""The same, but its device codes expire after a second."""
SECRET_CLIENT = "flyte-robot"
CLIENT_SECRET = "s3cret /+&=%:"
REDIRECT_URI = "http://127.0.0.1/callback"

_PUBLIC: dict[str, Any] = {
    "application_type": "native",
    "token_endpoint_auth_method": "none",
    "grant_types": [
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:device_code",
    ],
    "redirect_uris": [REDIRECT_URI, "http://localhost/callback"],
}
_CLIENTS: list[dict[str, Any]] = [
    {"client_id": PUBLIC_CLIENT, **_PUBLIC},
    {"client_id": HASTY_CLIENT, **_PUBLIC},
    {
        "client_id": SECRET_CLIENT,
        "client_secret": CLIENT_SECRET,
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "response_types": [],
        "redirect_uris": [],
    },
]


class Provider:
    """A running provider.

    Attributes
    ----------
    url
        Its issuer.
    """

    def __init__(self, output: IO[bytes]) -> None:
        self.url = f"https://127.0.0.1:{int(output.readline())}"
        self._output = output
        self._rest = b""
        self._exchanges: list[dict[str, Any]] = []
        os.set_blocking(output.fileno(), False)

    @property
    def exchanges(self) -> list[dict[str, Any]]:
        """The requests for tokens, with their responses; a test may clear the list.

        The provider writes each before it responds, and stops when a pipe is full of them.
        """
        *lines, self._rest = (self._rest + (self._output.read() or b"")).split(b"\n")
        self._exchanges += map(json.loads, lines)
        return self._exchanges

    @property
    def issued(self) -> list[dict[str, Any]]:
        """The exchanges that brought tokens."""
        return [exchange for exchange in self.exchanges if "access_token" in exchange["response"]]

    def metadata(self, **changes: str) -> GetOAuth2MetadataResponse:
        """Return the metadata of a deployment that uses this provider."""
        return GetOAuth2MetadataResponse(
            **{
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/auth",
                "token_endpoint": f"{self.url}/token",
                "device_authorization_endpoint": f"{self.url}/device/auth",
                **changes,
            }
        )


def public_client(**changes: Any) -> GetPublicClientConfigResponse:
    """Return the client that a deployment announces."""
    return GetPublicClientConfigResponse(
        **{
            "client_id": PUBLIC_CLIENT,
            "redirect_uri": REDIRECT_URI,
            "scopes": ["openid", "all"],
            **changes,
        }
    )


@contextmanager
def running(ca: trustme.CA, factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """Start the provider, with a certificate of the CA; install it first if necessary."""
    npm.install(HERE, factory)
    certificate = ca.issue_cert("127.0.0.1")
    options = {
        "key": certificate.private_key_pem.bytes().decode(),
        "cert": "".join(blob.bytes().decode() for blob in certificate.cert_chain_pems),
        "clients": _CLIENTS,
        "deviceCodeLifetimes": {HASTY_CLIENT: 1},
    }
    with subprocess.Popen(
        [needs("node", (20,)), HERE / "provider.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(options).encode() + b"\n")
        process.stdin.flush()
        try:
            yield Provider(process.stdout)
        finally:
            process.stdin.close()
