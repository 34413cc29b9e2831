"""Logins in a real keyring backend and in the file for notebooks, in both forms."""

from __future__ import annotations

import asyncio
import base64
import configparser
import errno
import json
import logging
import os
import stat
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import keyring.backend
import keyring.core
import keyring.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyte_sidecar.backends.flyte.auth import login_store
from flyte_sidecar.backends.flyte.auth.authorization import Login
from flyte_sidecar.backends.flyte.auth.login_store import (
    LoginStore,
    Place,
    StoredLogin,
    service_name,
)
from flyte_sidecar.backends.flyte.auth.stores.daemon_calls import DaemonCalls
from flyte_sidecar.backends.flyte.credentials import Credentials, Secret
from flyte_sidecar.backends.flyte.endpoint import Deployment
from tests.conftest import run

SERVICE = "Flyte.example.com:443"
IN_KEYRING = Place("keyring", "tokens", "the keyring (file PlaintextKeyring)")
SEPARATE = Place("keyring", "separate", "the keyring (file PlaintextKeyring)")


def login(access: str, refresh: str | None) -> Login:
    return Login(Secret(access), None if refresh is None else Secret(refresh))


def tokens(access: str | None, refresh: str | None) -> str:
    """Return the entry as Flyte's SDK writes it since 2.5.10."""
    return json.dumps({"access_token": access, "refresh_token": refresh})


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and the plain-text backend of keyrings.alt in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    return tmp_path


def deployment(config_file: Path | None = None, **credentials: Any) -> Deployment:
    return Deployment(
        endpoint=f"dns:///{SERVICE}",
        credentials=Credentials(**credentials),
        config_file=None if config_file is None else str(config_file),
    )


def store(config_file: Path | None = None, **credentials: Any) -> LoginStore:
    return LoginStore(deployment(config_file, **credentials), None)


@pytest.mark.parametrize(
    ("endpoint", "service"),
    [
        ("flyte.example.com", "flyte.example.com"),
        ("Flyte.Example.com:443", "Flyte.Example.com:443"),
        ("dns:///localhost:30080", "localhost:30080"),
        ("https://h:443/x/", "h:443/x"),
        ("http://h//", "h/"),
        ("dns:///dns:///h", "h"),
        (" [::1]:8090/ ", "[::1]:8090"),
    ],
)
def test_a_login_is_stored_under_the_endpoint_without_its_scheme(
    endpoint: str, service: str
) -> None:
    assert service_name(endpoint) == service


async def test_a_login_that_the_flyte_command_stored_is_read() -> None:
    keyring.set_password(SERVICE, "tokens", tokens("a", "r"))
    assert await store().read() == StoredLogin(login("a", "r"), IN_KEYRING)


async def test_a_login_of_an_older_flyte_command_is_read() -> None:
    keyring.set_password(SERVICE, "access_token", "a")
    keyring.set_password(SERVICE, "refresh_token", "r")
    assert await store().read() == StoredLogin(login("a", "r"), SEPARATE)


async def test_the_newer_form_precedes_the_older_one() -> None:
    keyring.set_password(SERVICE, "access_token", "old")
    keyring.set_password(SERVICE, "tokens", tokens("new", None))
    assert await store().read() == StoredLogin(login("new", None), IN_KEYRING)


async def test_a_refresh_token_alone_is_a_login() -> None:
    keyring.set_password(SERVICE, "tokens", tokens(None, "r"))
    assert await store().read() == StoredLogin(login("", "r"), IN_KEYRING)


async def test_there_is_no_login_without_an_entry() -> None:
    empty = store()
    assert (await empty.read(), empty.failure) == (None, None)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "no JSON",
        "[]",
        "{}",
        tokens(None, None),
        tokens("", ""),
        tokens("a\nb", None),
        tokens("t\u00f6ken", None),
        tokens("two words", None),
        '{"access_token": 1}',
        '{"access_token": "\ud800"}',
        "[" * 50_000,
        tokens("a" * (64 << 10), None),
    ],
    ids=range(13),
)
async def test_a_broken_entry_is_no_login(entry: str) -> None:
    class Broken(MemoryStore):
        def get(self, service: str, user: str) -> str | None:
            return entry if user == "tokens" else None

    assert await LoginStore(deployment(), None, [Broken()]).read() is None


@given(st.text())
def test_an_arbitrary_entry_never_raises(entry: str) -> None:
    class Arbitrary(MemoryStore):
        def get(self, service: str, user: str) -> str | None:
            return entry

    found = asyncio.run(LoginStore(deployment(), None, [Arbitrary()]).read())
    assert found is None or found.login.access_token.reveal().isascii()


async def test_a_new_login_is_stored_as_the_flyte_command_stores_it() -> None:
    assert await store().write(login("a", "r"), None)
    entry = json.loads(keyring.get_password(SERVICE, "tokens") or "")
    assert entry == {"access_token": "a", "refresh_token": "r"}
    assert keyring.get_password(SERVICE, "access_token") is None


async def test_a_renewed_login_replaces_the_one_that_was_found() -> None:
    keyring.set_password(SERVICE, "tokens", tokens("a", "r"))
    found = await store().read()
    assert found is not None
    assert await store().write(login("a2", "r2"), found.place)
    assert await store().read() == StoredLogin(login("a2", "r2"), IN_KEYRING)


async def test_a_renewed_login_of_an_older_flyte_command_keeps_its_form() -> None:
    keyring.set_password(SERVICE, "access_token", "a")
    keyring.set_password(SERVICE, "refresh_token", "r")
    assert await store().write(login("a2", "r2"), SEPARATE)
    entries = {
        user: keyring.get_password(SERVICE, user)
        for user in ("tokens", "access_token", "refresh_token")
    }
    assert entries == {"tokens": None, "access_token": "a2", "refresh_token": "r2"}


async def test_the_older_form_can_be_renewed_after_half_of_it_was_written() -> None:
    class Full(MemoryStore):
        def set(self, service: str, user: str, password: str) -> None:
            if user == "access_token":
                raise login_store.StoreFailure("the disk is full")
            super().set(service, user, password)

    full = Full()
    halved = LoginStore(deployment(), None, [full])
    assert not await halved.write(login("a2", "r2"), Place("keyring", "separate", ""))
    assert halved.failure == "the disk is full"
    assert full.entries == {(SERVICE, "refresh_token"): "r2"}


async def test_another_deployment_has_another_login() -> None:
    keyring.set_password("other.example.com", "tokens", tokens("a", "r"))
    assert await store().read() is None


async def test_behind_a_proxy_command_the_login_is_stored_apart_from_the_sdks_entry() -> None:
    keyring.set_password(SERVICE, "tokens", tokens("token for the proxy", "r"))
    behind_proxy = store(proxy_command=Secret(("true",)))
    assert await behind_proxy.read() is None
    assert await behind_proxy.write(login("a", "r"), None)
    assert await behind_proxy.read() == StoredLogin(login("a", "r"), IN_KEYRING)
    assert keyring.get_password(SERVICE, "tokens") == tokens("token for the proxy", "r")


async def test_a_config_can_disable_the_keyring(home: Path) -> None:
    keyring.set_password(SERVICE, "tokens", tokens("a", "r"))
    disabled = store(disable_keyring=True)
    assert await disabled.read() is None
    assert not await disabled.write(login("b", None), None)
    assert await disabled.delete() == []
    assert disabled.failure == "the config disables stored logins (admin.disableKeyring)"
    assert keyring.get_password(SERVICE, "tokens") == tokens("a", "r")


async def test_deleting_removes_every_form_from_every_place(home: Path) -> None:
    users = ("tokens", "access_token", "refresh_token")
    for user in users:
        keyring.set_password(SERVICE, user, "broken")
    keyring.set_password("other", "tokens", "kept")
    file = home / ".flyte" / "keyring.cfg"
    write_file(file, {SERVICE: {"tokens": tokens("a", "r")}, "other": {"tokens": "kept"}})
    assert await store().delete() == [IN_KEYRING.name, f"the file {file}"]
    assert [keyring.get_password(SERVICE, user) for user in users] == [None, None, None]
    assert keyring.get_password("other", "tokens") == "kept"
    assert read_file(file) == {"other": {"tokens": "kept"}}
    assert await store().delete() == []


async def test_deleting_behind_a_proxy_command_removes_the_sdks_entry_too() -> None:
    keyring.set_password(SERVICE, "tokens", "x")
    keyring.set_password(f"flyte-sidecar:{SERVICE}", "tokens", "y")
    assert await store(proxy_command=Secret(("true",))).delete() == [IN_KEYRING.name]
    assert keyring.get_password(SERVICE, "tokens") is None
    assert keyring.get_password(f"flyte-sidecar:{SERVICE}", "tokens") is None


# The file for notebooks


def write_file(path: Path, sections: dict[str, dict[str, str]]) -> None:
    """Write the file as Flyte's SDK does."""
    content = configparser.ConfigParser(interpolation=None)
    for section, options in sections.items():
        content[section] = {
            name: base64.encodebytes(value.encode()).decode() for name, value in options.items()
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        content.write(file)


def read_file(path: Path) -> dict[str, dict[str, str]]:
    """Read the file as Flyte's SDK does."""
    content = configparser.ConfigParser(interpolation=None)
    content.read(path, encoding="utf-8")
    return {
        section: {
            name: base64.decodebytes(value.encode()).decode() for name, value in options.items()
        }
        for section, options in content.items()
        if section != "DEFAULT"
    }


@pytest.mark.parametrize(
    ("config", "folder"),
    [
        (None, ".flyte"),
        ("work/config.yaml", ".flyte"),
        ("work/.flyte/config.yaml", "work/.flyte"),
    ],
)
async def test_a_login_that_a_notebook_stored_is_renewed_there(
    config: str | None, folder: str, home: Path
) -> None:
    file = home / folder / "keyring.cfg"
    long = "r" * 2000  # base64 has several lines
    write_file(file, {SERVICE: {"tokens": tokens("a", long)}, "other": {"tokens": "kept"}})
    notebook = store(home / config if config else None)
    found = await notebook.read()
    place = Place("file", "tokens", f"the file {file}")
    assert found == StoredLogin(login("a", long), place)
    assert await notebook.write(login("b", long), place)
    renewed = read_file(file)
    assert json.loads(renewed[SERVICE]["tokens"]) == {"access_token": "b", "refresh_token": long}
    assert renewed["other"] == {"tokens": "kept"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(file.parent) == ["keyring.cfg"]
    assert keyring.get_password(SERVICE, "tokens") is None


async def test_a_file_beside_a_config_that_was_only_found_is_not_used(home: Path) -> None:
    config = home / "clone" / ".flyte" / "config.yaml"
    write_file(config.with_name("keyring.cfg"), {SERVICE: {"tokens": tokens("a", None)}})
    found = replace(deployment(config), config_named=False)
    assert await LoginStore(found, None).read() is None


async def test_the_keyring_precedes_the_file(home: Path) -> None:
    write_file(home / ".flyte" / "keyring.cfg", {SERVICE: {"tokens": tokens("file", None)}})
    keyring.set_password(SERVICE, "tokens", tokens("keyring", None))
    assert await store().read() == StoredLogin(login("keyring", None), IN_KEYRING)


@pytest.mark.posix
async def test_a_link_to_the_file_stays_a_link(home: Path) -> None:
    write_file(home / "dotfiles" / "keyring.cfg", {SERVICE: {"tokens": tokens("a", None)}})
    link = home / ".flyte" / "keyring.cfg"
    link.parent.mkdir()
    link.symlink_to(home / "dotfiles" / "keyring.cfg")
    assert await store().write(login("b", None), Place("file", "tokens", ""))
    assert link.is_symlink()
    assert json.loads(read_file(link)[SERVICE]["tokens"])["access_token"] == "b"


@pytest.mark.parametrize(
    "content",
    [b"[s\n", b"x", b"\xff", b"[s]\na=1\na=2\n", b"#" * ((1 << 20) + 1)],
    ids=["section", "no section", "not UTF-8", "repeated", "huge"],
)
async def test_a_broken_file_is_no_login_and_is_not_replaced(content: bytes, home: Path) -> None:
    file = home / ".flyte" / "keyring.cfg"
    file.parent.mkdir()
    file.write_bytes(content)
    broken = store()
    assert await broken.read() is None
    assert broken.failure is not None
    assert not await broken.write(login("b", None), Place("file", "tokens", ""))
    assert file.read_bytes() == content


async def test_a_file_that_cannot_be_replaced_stays_as_it_was(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / ".flyte" / "keyring.cfg"
    write_file(file, {SERVICE: {"tokens": tokens("a", "r")}})
    content = read_file(file)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    full = store()
    assert not await full.write(login("b", None), Place("file", "tokens", ""))
    assert full.unsaved == f"the file {file} cannot be written: No space left on device"
    assert read_file(file) == content
    assert os.listdir(file.parent) == ["keyring.cfg"]


async def test_the_file_has_no_section_for_defaults(home: Path) -> None:
    named = LoginStore(Deployment(endpoint="DEFAULT"), None)
    assert not await named.write(login("a", None), Place("file", "tokens", ""))
    file = home / ".flyte" / "keyring.cfg"
    assert named.unsaved == f"the file {file} cannot store logins for DEFAULT"


async def test_an_entry_of_the_file_that_is_not_base64_is_no_login(home: Path) -> None:
    file = home / ".flyte" / "keyring.cfg"
    file.parent.mkdir()
    file.write_text(f"[{SERVICE}]\ntokens = x\n")
    assert await store().read() is None


@pytest.mark.posix
async def test_a_fifo_in_place_of_the_file_does_not_block(home: Path) -> None:
    (home / ".flyte").mkdir()
    os.mkfifo(home / ".flyte" / "keyring.cfg")
    assert await store().read() is None


# Keyrings that cannot be used


class MemoryStore:
    """A `PasswordStore` in memory."""

    kind: ClassVar[Any] = "keyring"
    calls: ClassVar[DaemonCalls] = DaemonCalls("test")
    name = "the memory"

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get(self, service: str, user: str) -> str | None:
        return self.entries.get((service, user))

    def set(self, service: str, user: str, password: str) -> None:
        self.entries[service, user] = password

    def delete(self, service: str, user: str) -> None:
        del self.entries[service, user]


class FailingKeyring(keyring.backend.KeyringBackend):
    """A backend that raises an error whose message contains a secret."""

    priority = 1

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self.error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self.error

    def delete_password(self, service: str, username: str) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            keyring.errors.NoKeyringError("s3cret"),
            "no keyring is available (`pip install keyrings.alt` adds one in a file)",
        ),
        (keyring.errors.KeyringLocked("s3cret"), "the keyring is locked"),
        (
            keyring.errors.InitError("s3cret"),
            "the keyring (test login store FailingKeyring) failed: keyring.errors.InitError",
        ),
        (
            SystemExit("s3cret"),
            "the keyring (test login store FailingKeyring) failed: builtins.SystemExit",
        ),
        (
            BaseException("s3cret"),
            "the keyring (test login store FailingKeyring) failed: builtins.BaseException",
        ),
        (
            asyncio.CancelledError("s3cret"),
            "the keyring (test login store FailingKeyring) failed: "
            "asyncio.exceptions.CancelledError",
        ),
    ],
)
async def test_a_keyring_that_cannot_be_used_is_one_line_in_the_log(
    error: BaseException, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    keyring.set_keyring(FailingKeyring(error))
    unusable = store()
    with caplog.at_level(logging.INFO):
        assert await unusable.read() is None
        assert await unusable.read() is None
    assert [record.message for record in caplog.records] == [f"no stored login is read: {reason}"]
    assert unusable.failure == reason
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="flyte_sidecar"):
        assert not await unusable.write(login("t0ken", "t0ken"), None)
    assert f"the login is kept in memory only: {reason}" in caplog.messages
    assert "s3cret" not in caplog.text
    assert "t0ken" not in caplog.text


async def test_a_locked_keyring_does_not_hide_the_login_of_a_notebook(home: Path) -> None:
    keyring.set_keyring(FailingKeyring(keyring.errors.KeyringLocked()))
    write_file(home / ".flyte" / "keyring.cfg", {SERVICE: {"tokens": tokens("a", "r")}})
    found = await store().read()
    assert found is not None
    assert found.place.kind == "file"


async def test_deleting_without_a_keyring_succeeds_but_not_with_a_locked_one() -> None:
    keyring.set_keyring(FailingKeyring(keyring.errors.NoKeyringError()))
    absent, locked = store(), store()
    assert (await absent.delete(), absent.failure) == ([], None)
    keyring.set_keyring(FailingKeyring(keyring.errors.KeyringLocked()))
    assert (await locked.delete(), locked.failure) == ([], "the keyring is locked")


async def test_an_entry_that_is_no_text_is_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = FailingKeyring(RuntimeError())
    monkeypatch.setattr(backend, "get_password", lambda *_: tokens("a", "r").encode())
    keyring.set_keyring(backend)
    assert await store().read() is None


async def test_a_keyring_that_stores_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    null = store()
    assert not await null.write(login("a", "r"), None)
    assert null.failure == "the keyring (null Keyring) stores nothing"


async def test_a_backend_that_does_not_exist_is_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.Keyring")
    missing = store()
    assert await missing.read() is None
    assert missing.failure == "the keyring failed: builtins.ModuleNotFoundError"


async def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    missing = store()
    assert await missing.read() is None
    assert missing.failure is not None
    assert "pip install 'flyte-sidecar[flyte]'" in missing.failure


async def test_deleting_without_the_package_reports_that_a_login_may_still_be_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    missing = store()
    assert await missing.delete() == []
    assert missing.failure is not None


class BlockingKeyring(FailingKeyring):
    """A backend that waits, as for a dialog that nobody sees."""

    def __init__(self) -> None:
        super().__init__(RuntimeError())
        self.entered = threading.Semaphore(0)
        self.unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.entered.release()
        self.unlocked.wait()
        return tokens("a", None)


@pytest.fixture
def blocking() -> Iterator[BlockingKeyring]:
    backend = BlockingKeyring()
    keyring.set_keyring(backend)
    yield backend
    backend.unlocked.set()


async def test_a_keyring_that_does_not_respond_is_abandoned_until_it_does(
    blocking: BlockingKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_store, "STORE_TIMEOUT", 0.05)
    waiting = store()
    while not blocking.entered.acquire(blocking=False):
        assert await waiting.read() is None
    name = "the keyring (test login store BlockingKeyring)"
    assert waiting.failure == f"{name} did not respond within 0.05 s"
    threads = threading.active_count()
    monkeypatch.setattr(login_store, "STORE_TIMEOUT", 1000)  # fails at once nevertheless
    for _ in range(10):
        assert await store().read() is None
    assert threading.active_count() == threads
    assert not blocking.entered.acquire(blocking=False)
    blocking.unlocked.set()
    await until(store().read)


async def until(read: Callable[[], Awaitable[StoredLogin | None]]) -> StoredLogin:
    while (found := await read()) is None:  # noqa: ASYNC110 - a thread ends it
        await asyncio.sleep(0.001)
    return found


async def test_the_loop_runs_while_a_keyring_blocks(blocking: BlockingKeyring) -> None:
    reading = asyncio.ensure_future(store().read())
    await asyncio.to_thread(blocking.entered.acquire)
    assert not reading.done()
    blocking.unlocked.set()
    assert await reading is not None


async def test_a_read_can_be_cancelled_while_a_keyring_blocks(blocking: BlockingKeyring) -> None:
    reading = asyncio.ensure_future(store().read())
    await asyncio.to_thread(blocking.entered.acquire)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


BLOCKED = """
import asyncio
from flyte_sidecar.backends.flyte.auth import login_store
from flyte_sidecar.backends.flyte.endpoint import Deployment

login_store.STORE_TIMEOUT = 0.05
print(asyncio.run(login_store.LoginStore(Deployment(endpoint="h"), None).read()))
"""

BLOCKING_BACKEND = """
import threading
import keyring.backend

class Keyring(keyring.backend.KeyringBackend):
    priority = 1

    def get_password(self, service, username):
        threading.Event().wait()

    set_password = delete_password = get_password
"""


def test_a_keyring_that_never_responds_does_not_keep_the_process_alive(home: Path) -> None:
    (home / "blocking_backend.py").write_text(BLOCKING_BACKEND)
    environment = {
        **os.environ,
        "PYTHONPATH": str(home),
        "PYTHON_KEYRING_BACKEND": "blocking_backend.Keyring",
    }
    done = run(sys.executable, "-c", BLOCKED, env=environment)
    assert (done.stdout, done.stderr, done.returncode) == ("None\n", "", 0)


async def test_what_a_backend_prints_does_not_reach_stdout(
    blocking: BlockingKeyring, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    entering = blocking.get_password

    def print_first(service: str, username: str) -> str | None:
        sys.stdout.write("Please set a password\n")
        return entering(service, username)

    monkeypatch.setattr(blocking, "get_password", print_first)
    reading = asyncio.ensure_future(store().read())
    await asyncio.to_thread(blocking.entered.acquire)
    sys.stdout.write("the output of the verb\n")
    blocking.unlocked.set()
    await reading
    assert capsys.readouterr() == ("the output of the verb\n", "Please set a password\n")
