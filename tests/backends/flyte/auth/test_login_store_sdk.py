"""The sidecar and Flyte's SDK use one login, in every form and place."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from tests.fake_runservice.server import Server
from tests.flyte_sdk import sdk_and_sidecar
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
    return sdk_and_sidecar(requirement, tmp_path_factory), form


@contextmanager
def started(python: Path, **environment: str) -> Iterator[Callable[..., Any]]:
    """Start the SDK, and yield what sends it an action and returns the login it then finds."""
    with subprocess.Popen(
        [python, KEYRING_OF_SDK],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def act(*action: str) -> Any:
            stdin.write(json.dumps(action) + "\n")
            stdin.flush()
            return json.loads(stdout.readline())

        yield act


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
        with started(python, PYTHON_KEYRING_BACKEND=backend) as act:
            for endpoint in ENDPOINTS:
                await share(act, endpoint, kind, form)  # type: ignore[arg-type]


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
    (python, _), endpoint = sdk, deployment.endpoint
    with started(python, SSL_CERT_FILE=ca_file) as act:
        assert flyte_sidecar("login").returncode == 0
        tokens = stored_tokens(deployment)
        assert flyte_sidecar("logout").returncode == 0
        access, refresh = tokens["access_token"], tokens["refresh_token"]
        # In the form of this SDK.
        assert act("store", endpoint, access, refresh) == [access, refresh]
        for turn in range(2):
            refreshed, rotated = act("refresh", endpoint, provider.url, PUBLIC_CLIENT)
            assert refreshed not in (access, None)
            assert rotated not in (refresh, None)
            rejected.add(access)
            assert flyte_sidecar("pending").stderr == "No pending events.\n"
            assert len(provider.exchanges) == 2 + 2 * turn  # the sidecar has refreshed nothing
            rejected.add(refreshed)
            assert flyte_sidecar("pending").stderr == "No pending events.\n"
            assert len(provider.issued) == len(provider.exchanges) == 3 + 2 * turn
            access, refresh = act("retrieve", endpoint)
            assert access == provider.issued[-1]["response"]["access_token"]


async def share(act: Callable[..., Any], endpoint: str, kind: StoreKind, form: Form) -> None:
    """Let the SDK store a login, and the sidecar renew it."""
    assert act("retrieve", endpoint) is None
    act("store", endpoint, "access", "refresh")
    store = LoginStore(Deployment(endpoint=endpoint), None)
    found = await store.read()
    assert found is not None
    assert found.login == Login(Secret("access"), Secret("refresh"))
    assert (found.place.kind, found.place.form) == (kind, form)
    assert await store.write(Login(Secret("renewed"), Secret("rotated")), found.place)
    assert act("retrieve", endpoint) == ["renewed", "rotated"]
    assert await store.delete() == [found.place.name]
    assert act("retrieve", endpoint) is None
    if (kind, form) == ("keyring", "tokens"):
        assert await store.write(Login(Secret("new"), None), None)
        assert act("retrieve", endpoint) == ["new", None]
        await store.delete()
