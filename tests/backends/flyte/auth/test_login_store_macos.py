"""Logins in the keychain of macOS, whose program is emulated: it was not tried on macOS."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.login_store import LoginStore, Place, StoredLogin
from flyte_sidecar.backends.flyte.auth.stores import macos_keychain
from flyte_sidecar.backends.flyte.auth.stores.macos_keychain import MacosKeychain
from flyte_sidecar.backends.flyte.auth.stores.password_store import StoreFailure
from flyte_sidecar.backends.flyte.credentials import Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment

pytestmark = pytest.mark.posix

SERVICE = "flyte.example.com:443"
PLACE = Place("keyring", "tokens", "the macOS keychain")


@pytest.fixture
def keychain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the items of the emulated keychain."""
    monkeypatch.setenv("KEYCHAIN", str(tmp_path / "keychain"))
    return tmp_path / "keychain"


@pytest.fixture
def program(tmp_path: Path) -> str:
    script = Path(__file__).with_name("security.py")
    program = tmp_path / "security"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {script} "$@"\n')
    program.chmod(0o700)
    return str(program)


@pytest.fixture
def store(program: str, keychain: Path) -> LoginStore:
    return LoginStore(Deployment(endpoint=SERVICE), None, [MacosKeychain(program)])


def login(access: str, refresh: str | None) -> Login:
    return Login(Secret(access), None if refresh is None else Secret(refresh))


def fill(keychain: Path, **entries: str) -> None:
    keychain.write_text(
        json.dumps({f"{user} of {SERVICE}": entry for user, entry in entries.items()})
    )


def items(keychain: Path) -> Any:
    return json.loads(keychain.read_text())


async def test_a_login_is_stored_and_found_without_appearing_in_arguments(
    store: LoginStore, keychain: Path
) -> None:
    assert await store.read() is None
    assert store.failure is None
    hostile = "a\"'\\-$`;"
    assert await store.write(login(hostile, "refresh"), None)
    assert await store.read() == StoredLogin(login(hostile, "refresh"), PLACE)
    assert await store.write(login("b", "refresh"), PLACE)
    assert items(keychain) == {
        f"tokens of {SERVICE}": '{"access_token":"b","refresh_token":"refresh"}'
    }
    log = keychain.with_suffix(".log").read_text()
    assert "refresh" not in log.replace("refresh_token", "")
    assert f'["find-generic-password", "-a", "tokens", "-s", "{SERVICE}", "-w"]' in log


async def test_a_login_that_the_sdk_stored_is_found_in_both_forms(
    store: LoginStore, keychain: Path
) -> None:
    fill(keychain, access_token="a", refresh_token="r")
    separate = StoredLogin(login("a", "r"), Place("keyring", "separate", PLACE.name))
    assert await store.read() == separate
    assert await store.write(login("a2", "r2"), separate.place)
    assert items(keychain) == {
        f"access_token of {SERVICE}": "a2",
        f"refresh_token of {SERVICE}": "r2",
    }
    assert await store.delete() == [PLACE.name]
    assert items(keychain) == {}
    assert await store.delete() == []


async def test_a_login_that_does_not_fit_is_kept_in_memory_and_the_old_one_stays(
    store: LoginStore, keychain: Path
) -> None:
    assert await store.write(login("old", None), None)
    assert not await store.write(login("a" * 4000, "r"), None)
    assert store.failure == "the login is too large for the macOS keychain"
    assert await store.read() == StoredLogin(login("old", None), PLACE)
    longest = 4095 - len(_command(login("", "r")))
    assert await store.write(login("a" * longest, "r"), None)
    assert not await store.write(login("a" * (longest + 1), "r"), None)


def _command(stored: Login) -> str:
    entry = '{\\"access_token\\":\\"\\",\\"refresh_token\\":\\"r\\"}'
    return f'add-generic-password -U "-a" "tokens" "-s" "{SERVICE}" "-w" "{entry}"\n'


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("36", "the macOS keychain is locked"),
        ("51", "the macOS keychain failed with exit status 51"),
    ],
)
async def test_a_keychain_that_cannot_be_read_is_no_login(
    status: str, reason: str, store: LoginStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYCHAIN_STATUS", status)
    assert await store.read() is None
    assert store.failure == reason
    assert not await store.write(login("a", None), None)


async def test_without_the_program_there_is_no_login() -> None:
    store = LoginStore(Deployment(endpoint=SERVICE), None, [MacosKeychain("/no/such/program")])
    assert await store.read() is None
    assert store.failure == "/no/such/program cannot be run: FileNotFoundError"


async def test_a_program_that_does_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "security"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o700)
    monkeypatch.setattr(macos_keychain, "TIMEOUT", 0.05)
    with pytest.raises(StoreFailure, match=r"did not respond within 0\.05 s") as raised:
        MacosKeychain(str(program)).set(SERVICE, "tokens", "s3cret")
    assert not isinstance(raised.value.__cause__, TimeoutExpired)


@given(service=st.text(max_size=30), entry=st.text(max_size=30))
@settings(max_examples=20)
def test_any_entry_is_stored_exactly_or_rejected(
    service: str, entry: str, program: str, keychain: Path
) -> None:
    keychain.unlink(missing_ok=True)
    keychain_of_mac = MacosKeychain(program)
    try:
        keychain_of_mac.set(service, "tokens", entry)
    except StoreFailure:
        assert not keychain.exists()
    else:
        assert items(keychain) == {f"tokens of {service}": entry}
