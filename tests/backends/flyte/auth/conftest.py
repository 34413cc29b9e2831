"""A deployment behind TLS whose logins come from a real OpenID provider, and a home folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.core
import pytest
import trustme

from tests.backends.flyte.auth.connection import Connect, Person, Rejected
from tests.conftest import ROOT, run
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.oidc_provider.provider import Provider, public_client, running

Run = Callable[..., subprocess.CompletedProcess[str]]

PERSON = ROOT / "tests" / "oidc_provider" / "person.py"


@pytest.fixture(scope="session")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture(scope="session")
def running_provider(
    ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    with running(ca, tmp_path_factory) as provider:
        yield provider


@pytest.fixture
def provider(running_provider: Provider) -> Provider:
    """The provider, which has issued no tokens yet in this test."""
    running_provider.exchanges.clear()
    return running_provider


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, with a plain-text keyring, and no browser."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def certificate(ca: trustme.CA) -> tuple[bytes, bytes]:
    certificate = ca.issue_cert("127.0.0.1")
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    return certificate.private_key_pem.bytes(), chain


@pytest.fixture
def server(certificate: tuple[bytes, bytes], request: pytest.FixtureRequest) -> Iterator[Server]:
    """A deployment that accepts any token, but no call without one; a test may revoke tokens.

    Parametrize a test indirectly with `server` to select its protocol.
    """
    protocol = getattr(request, "param", "grpc")
    with Server(Model("2.0.43"), tls=certificate, protocol=protocol) as server:
        server.auth.tokens = Rejected()
        server.auth.client = public_client()
        yield server


@pytest.fixture
def rejected(server: Server) -> Rejected:
    """The tokens that the server rejects."""
    assert isinstance(server.auth.tokens, Rejected)
    return server.auth.tokens


@pytest.fixture
def deployment(server: Server, provider: Provider) -> Server:
    """The same, with the provider."""
    server.auth.metadata = provider.metadata()
    return server


@pytest.fixture
def person(ca_file: str) -> Person:
    return Person(ca_file)


@pytest.fixture
def connect(server: Server, ca_file: str, home: Path, person: Person) -> Connect:
    return Connect(server.endpoint, ca_file, home, person)


@pytest.fixture
def env(home: Path, server: Server, ca_file: str) -> dict[str, str]:
    """An environment with a config for the server, and a person who uses the browser."""
    (home / ".flyte").mkdir()
    (home / ".flyte" / "config.yaml").write_text(
        f"admin:\n  endpoint: dns:///{server.endpoint}\n  caCertFilePath: {ca_file}\n"
        "task:\n  project: p\n  domain: d\n"
    )
    kept = {name: value for name, value in os.environ.items() if name != "UCTL_CONFIG"}
    return {
        **kept,
        "FLYTE_SIDECAR_BACKEND": "flyte",
        "BROWSER": f"{sys.executable} {PERSON} {ca_file} %s",
    }


@pytest.fixture
def flyte_sidecar(env: dict[str, str], home: Path) -> Run:
    def flyte_sidecar(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "flyte_sidecar", *arguments)
        return run(*command, env={**env, **more}, cwd=home, input="")

    return flyte_sidecar


def stored_tokens(server: Server) -> Any:
    """Return the stored login at a server."""
    entry = keyring.get_password(server.endpoint, "tokens")
    return None if entry is None else json.loads(entry)
