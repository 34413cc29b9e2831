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

from flyte_sidecar.backends.flyte.auth.login_store import Form, Login, LoginStore
from flyte_sidecar.backends.flyte.auth.password_store import StoreKind
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from tests.conftest import run
from tests.flyte_sdk import flyte_version, pip

KEYRING_OF_SDK = Path(__file__).with_name("keyring_of_sdk.py")
PLAIN_TEXT = "keyrings.alt.file.PlaintextKeyring"
OF_NOTEBOOKS = "flyte._keyring.file.SimplePlainTextKeyring"

ENDPOINTS = ["dns:///Flyte.example.com", "https://flyte.example.com/", "localhost:30080"]


@pytest.mark.versions
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("requirement", "form"), [("flyte", "tokens"), ("flyte==2.3.8", "separate")]
)
async def test_the_sidecar_and_the_sdk_share_a_login(
    requirement: str, form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = install(f"flyte=={flyte_version(requirement)}", tmp_path / "venv")
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


def install(requirement: str, folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    installed = pip(python, "install", "--quiet", requirement, "keyrings.alt")
    assert installed.returncode == 0, installed.stderr
    return python
