"""The sidecar and Flyte's SDK use one login, in every form and place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keyring.core
import pytest

from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.login_store import Form, LoginStore
from flyte_sidecar.backends.flyte.auth.stores.password_store import StoreKind
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from tests.backends.flyte.auth.conftest import Run, stored_tokens
from tests.backends.flyte.auth.connection import Rejected
from tests.conftest import run, worker_lock
from tests.fake_runservice.server import Server
from tests.flyte_sdk import flyte_version, pip
from tests.oidc_provider.provider import PUBLIC_CLIENT, Provider

KEYRING_OF_SDK = Path(__file__).with_name("keyring_of_sdk.py")
PLAIN_TEXT = "keyrings.alt.file.PlaintextKeyring"
OF_NOTEBOOKS = "flyte._keyring.file.SimplePlainTextKeyring"

Sdk = tuple[Path, Form]
"""The Python of an environment with an SDK, and the form in which it stores logins."""

ENDPOINTS = ["dns:///Flyte.example.com", "https://flyte.example.com/", "localhost:30080"]


@pytest.fixture(
    scope="session",
    params=[("flyte", "tokens"), ("flyte==2.3.8", "separate")],
    ids=["newest", "2.3.8"],
)
def sdk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sdk:
    """Two releases of Flyte's SDK, in environments that all workers share."""
    requirement, form = request.param
    version = flyte_version(requirement)
    with worker_lock(f"flyte-sdk-{version}", tmp_path_factory) as shared:
        environment = shared / f"flyte-sdk-{version}"
        python = environment / "bin" / "python"
        if not (environment / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            done = pip(python, "install", "--quiet", f"flyte=={version}", "keyrings.alt")
            assert done.returncode == 0, done.stderr
            (environment / "complete").touch()
    return python, form


@pytest.mark.versions
@pytest.mark.timeout(600)
async def test_the_sidecar_and_the_sdk_share_a_login(
    sdk: Sdk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python, form = sdk
    for backend, kind in ((PLAIN_TEXT, "keyring"), (OF_NOTEBOOKS, "file")):
        home = tmp_path / kind
        home.mkdir()
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
        own = PLAIN_TEXT if kind == "keyring" else "keyring.backends.fail.Keyring"
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", own)
        monkeypatch.setattr(keyring.core, "_keyring_backend", None)
        for endpoint in ENDPOINTS:
            await share(python, backend, endpoint, kind, form)  # type: ignore[arg-type]


@pytest.mark.versions
@pytest.mark.timeout(600)
def test_the_sidecar_and_the_sdk_refresh_a_login_in_turns(
    sdk: Sdk,
    deployment: Server,
    rejected: Rejected,
    provider: Provider,
    ca_file: str,
    flyte_sidecar: Run,
) -> None:
    python, _ = sdk

    def login(action: str, *arguments: str) -> Any:
        command = (python, KEYRING_OF_SDK, action, deployment.endpoint, *arguments)
        done = run(*command, env={**os.environ, "SSL_CERT_FILE": ca_file})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert flyte_sidecar("login").returncode == 0
    tokens = stored_tokens(deployment)
    assert flyte_sidecar("logout").returncode == 0
    access, refresh = tokens["access_token"], tokens["refresh_token"]
    assert login("store", access, refresh) == [access, refresh]  # in the form of this SDK
    for turn in range(2):
        refreshed, rotated = login("refresh", provider.url, PUBLIC_CLIENT)
        assert refreshed not in (access, None)
        assert rotated not in (refresh, None)
        rejected.add(access)
        assert flyte_sidecar("pending").stdout == "No pending events.\n"
        assert len(provider.exchanges) == 2 + 2 * turn  # the sidecar has refreshed nothing
        rejected.add(refreshed)
        assert flyte_sidecar("pending").stdout == "No pending events.\n"
        assert len(provider.issued) == len(provider.exchanges) == 3 + 2 * turn
        access, refresh = login("retrieve")
        assert access == provider.issued[-1]["response"]["access_token"]


async def share(python: Path, backend: str, endpoint: str, kind: StoreKind, form: Form) -> None:
    """Let the SDK store a login, and the sidecar renew it."""

    def sdk(action: str, *tokens: str) -> Any:
        environment = {**os.environ, "PYTHON_KEYRING_BACKEND": backend}
        done = run(python, KEYRING_OF_SDK, action, endpoint, *tokens, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert sdk("retrieve") is None
    sdk("store", "access", "refresh")
    store = LoginStore(Deployment(endpoint=endpoint), None)
    found = await store.read()
    assert found is not None
    assert found.login == Login(Secret("access"), Secret("refresh"))
    assert (found.place.kind, found.place.form) == (kind, form)
    assert await store.write(Login(Secret("renewed"), Secret("rotated")), found.place)
    assert sdk("retrieve") == ["renewed", "rotated"]
    assert await store.delete() == [found.place.name]
    assert sdk("retrieve") is None
    if (kind, form) == ("keyring", "tokens"):
        assert await store.write(Login(Secret("new"), None), None)
        assert sdk("retrieve") == ["new", None]
        await store.delete()
