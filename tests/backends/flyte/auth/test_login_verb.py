"""`flyte-sidecar login` with a real OpenID provider, and sidecars that share the login."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backends.flyte.auth.conftest import Run, stored_tokens
from tests.backends.flyte.auth.connection import Rejected
from tests.conftest import TEST_TIMEOUT
from tests.e2e.process import Process, kind
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.oidc_provider.provider import CLIENT_SECRET, SECRET_CLIENT, Provider

PLACE = "the keyring (file PlaintextKeyring)"
WITHOUT_DRAIN_TIMEOUT = """
import sys
from flyte_sidecar.cli.main import main
from flyte_sidecar.rpc import shutdown

shutdown.DRAIN_TIMEOUT = 3600
sys.exit(main(sys.argv[1:]))
"""
"""The command, which waits for all requests at its end."""

SIDECARS = 20
EXPIRIES = 3


def test_login_stores_a_login_for_other_processes_and_logout_deletes_it(
    deployment: Server, provider: Provider, flyte_sidecar: Run
) -> None:
    endpoint = deployment.endpoint
    done = flyte_sidecar("login")
    assert (done.returncode, done.stdout) == (
        0,
        f"You are logged in at {endpoint}: stored in {PLACE}.\n",
    )
    assert done.stderr.startswith(f"To log in to {endpoint}, open {provider.url}/auth?")
    (issued,) = provider.issued
    assert stored_tokens(deployment) == {
        name: issued["response"][name] for name in ("access_token", "refresh_token")
    }
    assert flyte_sidecar("pending").stderr == "No pending events.\n"
    assert f"ok       login          Pkce, stored in {PLACE}\n" in flyte_sidecar("doctor").stdout
    again = flyte_sidecar("login")
    assert again.stdout == f"You are already logged in at {endpoint}: stored in {PLACE}.\n"
    assert (again.returncode, again.stderr) == (0, "")
    assert len(provider.issued) == 1
    assert flyte_sidecar("logout").stdout == f"Deleted the login at {endpoint} from {PLACE}.\n"
    assert stored_tokens(deployment) is None
    secrets = [issued["response"][name] for name in ("access_token", "refresh_token")]
    assert not [secret for secret in secrets if secret in done.stdout + done.stderr]


@pytest.mark.usefixtures("provider")
def test_login_fails_if_other_processes_cannot_use_the_login(
    deployment: Server, flyte_sidecar: Run
) -> None:
    reasons = {
        "no keyring is available (`pip install keyrings.alt` adds one in a file)": {
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"
        },
        "the keyring (null Keyring) stores nothing": {
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"
        },
        "the config disables stored logins (admin.disableKeyring)": {
            "FLYTE_ADMIN_DISABLEKEYRING": "true"
        },
    }
    for reason, variables in reasons.items():
        done = flyte_sidecar("login", **variables)
        assert (done.returncode, done.stdout) == (1, "")
        message = f"logged in at {deployment.endpoint}, but other processes cannot use the login"
        assert done.stderr.endswith(f"flyte-sidecar: {message}: {reason}\n")


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize("verb", ["pending", "call", "watch"])
def test_a_verb_that_needs_a_login_shows_only_that_whatever_is_logged(
    verb: str, env: dict[str, str], flyte_sidecar: Run, tmp_path: Path
) -> None:
    arguments = {"call": ["events.pending"], "watch": ["--json"]}.get(verb, [])
    log = tmp_path / "log"
    denies = f"{env['BROWSER']} abort"
    done = flyte_sidecar(verb, *arguments, "--log-file", str(log), BROWSER=denies)
    assert (done.returncode, done.stdout) == (1, "")
    shown, error = done.stderr.splitlines()
    assert shown.startswith("To log in to ")
    assert error.startswith("unauthenticated: ")


@pytest.mark.posix
def test_notifications_wait_for_a_login_and_ask_nobody(
    deployment: Server, provider: Provider, env: dict[str, str], home: Path
) -> None:
    command = [sys.executable, "-m", "flyte_sidecar", "notify", "--exec", "true"]
    process = subprocess.Popen(command, env=env, cwd=home, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = [process.stderr.readline() for _ in range(2)]
        process.terminate()
        _, rest = process.communicate(timeout=TEST_TIMEOUT)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert "the events cannot be followed now: unauthenticated: " in lines[0]
    assert "log in, and notifications continue: flyte-sidecar login --backend flyte" in lines[1]
    assert rest == ""
    assert provider.issued == []
    assert stored_tokens(deployment) is None


@pytest.mark.usefixtures("deployment")
def test_a_denied_login_fails(env: dict[str, str], flyte_sidecar: Run) -> None:
    done = flyte_sidecar("login", BROWSER=f"{env['BROWSER']} abort")
    assert (done.returncode, done.stdout) == (1, "")
    shown, error = done.stderr.splitlines()
    assert shown.startswith("To log in to ")
    assert error.startswith("unauthenticated: ")
    assert "the login was denied" in error


@pytest.mark.posix
@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize("verb", [["login"], ["pending"], ["call", "events.pending"], ["watch"]])
def test_ctrl_c_ends_a_login(
    verb: list[str], env: dict[str, str], home: Path, provider: Provider
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WITHOUT_DRAIN_TIMEOUT, *verb],
        env={**env, "BROWSER": "true"},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert f"{provider.url}/auth?" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=TEST_TIMEOUT)
    assert (process.returncode, stdout) == (-signal.SIGINT, "")
    assert "Traceback" not in stderr


@pytest.mark.usefixtures("deployment")
def test_a_person_sees_the_login_and_the_log_contains_no_secret(
    home: Path, provider: Provider, flyte_sidecar: Run
) -> None:
    log = home / "log"
    assert "To log in" in flyte_sidecar("login", "--log-file", str(log)).stderr
    debug = flyte_sidecar("logout", "--log-level", "debug", "--log-file", str(log))
    assert debug.returncode == 0
    debug = flyte_sidecar("login", "--log-level", "debug", "--log-file", str(log))
    assert debug.returncode == 0
    logged = log.read_text()
    assert "DEBUG" in logged
    for exchange in provider.exchanges:
        tokens = [exchange["response"][name] for name in ("access_token", "refresh_token")]
        for secret in (*tokens, exchange["request"]["code"], exchange["request"]["code_verifier"]):
            assert secret not in logged + debug.stderr + debug.stdout


def test_a_deployment_may_need_no_login(server: Server, flyte_sidecar: Run) -> None:
    server.auth.tokens = None
    done = flyte_sidecar("login")
    assert (done.returncode, done.stdout) == (0, f"{server.endpoint} needs no login.\n")
    assert done.stderr == ""
    with Server(Model("2.0.43")) as plaintext:
        done = flyte_sidecar("login", "--endpoint", plaintext.endpoint, "--insecure")
        because = "because the connection is insecure"
        assert done.stdout == f"{plaintext.endpoint} needs no login, {because}.\n"
        assert done.returncode == 0


def test_login_checks_credentials_without_a_person(deployment: Server, flyte_sidecar: Run) -> None:
    def login(secret: str) -> subprocess.CompletedProcess[str]:
        return flyte_sidecar(
            "login",
            FLYTE_ADMIN_CLIENTID=SECRET_CLIENT,
            FLYTE_ADMIN_CLIENTSECRETENVVAR="S",
            S=secret,
        )

    done = login(CLIENT_SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    source = "ClientSecret (S (FLYTE_ADMIN_CLIENTSECRETENVVAR))"
    accepts = f"{deployment.endpoint} accepts the credentials of {source}"
    assert done.stdout == f"{accepts}, so that nobody has to log in.\n"
    wrong = login("wr0ng")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("unauthenticated: ")
    assert "wr0ng" not in wrong.stderr


@pytest.fixture
def spawn(env: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """Start sidecars whose errors go to one file."""
    started: list[Process] = []

    def spawn() -> Process:
        store = tmp_path / "sidecars" / "events.db"
        store.parent.mkdir(exist_ok=True)
        started.append(Process(store, backend_options=(), env=env, cwd=tmp_path))
        return started[-1]

    yield spawn
    for process in started:
        process.clear()


def test_twenty_sidecars_share_a_login_and_refresh_it_once_per_expiry(
    deployment: Server,
    rejected: Rejected,
    provider: Provider,
    flyte_sidecar: Run,
    spawn: Callable[[], Process],
) -> None:
    assert flyte_sidecar("login").returncode == 0
    sidecars = [spawn() for _ in range(SIDECARS)]
    for expiry in range(EXPIRIES + 1):
        if expiry:
            rejected.add(stored_tokens(deployment)["access_token"])
        for sidecar in sidecars:
            sidecar.request(expiry, "events.pending")
        answers = [sidecar.answer() for sidecar in sidecars]
        assert {kind(answer) for answer in answers} == {"result"}
        assert len(provider.issued) == 1 + expiry
        newest = provider.issued[-1]["response"]
        assert stored_tokens(deployment)["access_token"] == newest["access_token"]
        assert stored_tokens(deployment)["refresh_token"] == newest["refresh_token"]
    assert len(provider.exchanges) == 1 + EXPIRIES
    refreshes = [exchange["request"] for exchange in provider.exchanges[1:]]
    assert {request["grant_type"] for request in refreshes} == {"refresh_token"}
    assert len({request["refresh_token"] for request in refreshes}) == EXPIRIES
    for sidecar in sidecars:
        sidecar.end_input()
    for sidecar in sidecars:
        assert sidecar.status() == 0
        assert sidecar.stderr_text() == ""
