"""The verbs for logins: `login`, `logout` and the row of `doctor`."""

from __future__ import annotations

import json
import select
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import run
from tests.doctor_report import read_report
from tests.fake_runservice.server import Server

LOCKED_BACKEND = """
import keyring.backend, keyring.errors

class Keyring(keyring.backend.KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        raise keyring.errors.KeyringLocked("s3cret-7f3a")

    set_password = delete_password = get_password
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def env(tmp_path: Path, command: dict[str, str]) -> dict[str, str]:
    """An environment with an empty home and a keyring in a file."""
    (tmp_path / "locked_backend.py").write_text(LOCKED_BACKEND)
    return {
        **command,
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "FLYTE_SIDECAR_BACKEND": "flyte",
    }


@pytest.fixture
def flyte_sidecar(env: dict[str, str]) -> Run:
    def flyte_sidecar(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run("flyte-sidecar", *arguments, env={**env, **more}, input="")

    return flyte_sidecar


@pytest.fixture
def in_keyring(env: dict[str, str]) -> Callable[[str], str | None]:
    """Return the entry `tokens` of a service."""

    def in_keyring(service: str) -> str | None:
        done = run("keyring", "get", service, "tokens", env=env)
        return done.stdout.removesuffix("\n") or None

    return in_keyring


def store_login(env: dict[str, str], service: str) -> None:
    entry = json.dumps({"access_token": "s3cret-7f3a", "refresh_token": "s3cret-7f3a"})
    assert run("keyring", "set", service, "tokens", env=env, input=entry).returncode == 0


def test_logout_deletes_the_login_and_sends_nothing(
    env: dict[str, str], flyte_sidecar: Run, in_keyring: Callable[[str], str | None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
        store_login(env, endpoint)
        store_login(env, "other.example")
        done = flyte_sidecar("logout", "--endpoint", endpoint)
        place = "the keyring (file PlaintextKeyring)"
        assert done.stdout == f"Deleted the login at {endpoint} from {place}.\n"
        assert (done.returncode, done.stderr) == (0, "")
        again = flyte_sidecar("logout", "--endpoint", endpoint)
        assert (again.returncode, again.stdout, again.stderr) == (
            0,
            f"No login at {endpoint} was stored.\n",
            "",
        )
        assert select.select([listener], [], [], 0)[0] == []
    assert in_keyring(endpoint) is None
    assert in_keyring("other.example") is not None


def test_logout_reports_a_keyring_that_it_cannot_search(flyte_sidecar: Run) -> None:
    locked = {"PYTHON_KEYRING_BACKEND": "locked_backend.Keyring"}
    done = flyte_sidecar("logout", "--endpoint", "h.example", **locked)
    assert (done.returncode, done.stdout) == (1, "")
    message = "a login at h.example:443 may still be stored: the keyring is locked\n"
    assert done.stderr == f"flyte-sidecar: {message}"
    none = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    assert flyte_sidecar("logout", "--endpoint", "h.example", **none).returncode == 0


def test_logout_leaves_a_login_that_the_config_does_not_use(
    env: dict[str, str], flyte_sidecar: Run, in_keyring: Callable[[str], str | None]
) -> None:
    store_login(env, "h.example")
    done = flyte_sidecar("logout", "--endpoint", "h.example", FLYTE_ADMIN_DISABLEKEYRING="true")
    assert done.returncode == 0
    assert "the config disables stored logins (admin.disableKeyring)" in done.stdout
    assert in_keyring("h.example") is not None


@pytest.mark.parametrize("verb", ["login", "logout"])
def test_the_verbs_for_logins_require_a_deployment(verb: str, flyte_sidecar: Run) -> None:
    done = flyte_sidecar(verb, "--backend", "local")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"error: {verb} requires a Flyte deployment: --backend flyte\n")


def login_row(done: subprocess.CompletedProcess[str]) -> str:
    assert "s3cret-7f3a" not in done.stdout + done.stderr
    return read_report(done.stdout)["login"].detail


def test_doctor_prints_the_kind_of_login_and_where_it_is_stored(
    env: dict[str, str], flyte_sidecar: Run, tmp_path: Path
) -> None:
    def doctor(**more: str) -> str:
        row = login_row(flyte_sidecar("doctor", "--endpoint", "127.0.0.1:1", **more))
        return row.removesuffix(" (not tried, because there is no connection)")

    assert doctor() == "Pkce, not stored"
    locked = doctor(PYTHON_KEYRING_BACKEND="locked_backend.Keyring")
    assert locked == "Pkce, not stored: the keyring is locked"
    store_login(env, "127.0.0.1:1")
    stored = doctor(FLYTE_AUTH_TYPE="DeviceFlow")
    assert stored == "DeviceFlow, stored in the keyring (file PlaintextKeyring)"
    assert doctor(FLYTE_ADMIN_CLIENTSECRETENVVAR="S", S="s3cret-7f3a") == (
        "ClientSecret (S (FLYTE_ADMIN_CLIENTSECRETENVVAR))"
    )


def test_doctor_reports_a_connection_without_a_login(server: Server, flyte_sidecar: Run) -> None:
    done = flyte_sidecar("doctor", "--endpoint", server.endpoint, "--insecure")
    assert done.returncode == 0
    assert login_row(done) == "none, because the connection is insecure"
