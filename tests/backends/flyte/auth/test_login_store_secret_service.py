"""Logins in a real Secret Service: GNOME's keyring on a D-Bus of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import needs, run

pytestmark = pytest.mark.posix

SCRIPT = """
import asyncio, logging, sys
import keyring, secretstorage
from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.login_store import (LoginStore, Place)
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment

logging.basicConfig(level=logging.INFO, format="%(message)s")

def store():
    return LoginStore(Deployment(endpoint="flyte.example.com"), None)

async def main():
    keyring.set_password("flyte.example.com", "refresh_token", "r")
    keyring.set_password("flyte.example.com", "access_token", "a")
    found = await store().read()
    assert found.login == Login(Secret("a"), Secret("r")), found
    assert found.place.form == "separate", found
    long = "t" * 20_000
    assert await store().write(Login(Secret(long), None), None)
    found = await store().read()
    assert found.login.access_token.reveal() == long
    assert found.place.form == "tokens", found
    collection = secretstorage.get_default_collection(secretstorage.dbus_init())
    collection.lock()
    assert collection.is_locked()
    locked = store()
    assert await locked.read() is None
    assert locked.failure == "the keyring is locked", locked.failure
    assert not await locked.write(found.login, found.place)
    assert await locked.delete() == []
    assert locked.failure == "the keyring is locked", locked.failure

asyncio.run(main())
"""

SESSION = """
echo -n password | gnome-keyring-daemon --unlock --components=secrets >/dev/null
exec "$@"
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a Secret Service needs Linux")
def test_a_login_is_stored_in_the_secret_service_unless_that_is_locked(tmp_path: Path) -> None:
    needs("gnome-keyring-daemon")
    private = tmp_path / "run"
    private.mkdir(mode=0o700)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DISPLAY"},
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(private),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
    }
    session = [needs("dbus-run-session"), "--", "sh", "-c", SESSION, "sh"]
    done = run(*session, sys.executable, "-c", SCRIPT, env=environment)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "no stored login is read: the keyring is locked" in done.stderr
    assert "the login is kept in memory only: the keyring is locked" in done.stderr
