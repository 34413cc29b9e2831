"""No secret is logged, reported, passed to a process, or written where others can read it.

Recognisable secrets are planted in every place that a secret can come from. Then everything that
sidecars write is searched for them.
"""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import pytest
import trustme
from flyteidl2.auth.auth_service_pb2 import (
    GetOAuth2MetadataResponse,
    GetPublicClientConfigResponse,
)
from keyrings.alt.file import PlaintextKeyring
from msgspec import Struct, field

from tests.backends.flyte.connect_proxy import ConnectProxy
from tests.conftest import TEST_TIMEOUT
from tests.e2e.deployment import RUN, SCOPE
from tests.e2e.echoing_provider import EchoingProvider, Mode
from tests.e2e.process import Process, kind
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

pytestmark = pytest.mark.posix

REPORT_CHILDREN = """
import sys
path = sys.argv.pop(1)
def hook(name, args):
    if name in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"):
        with open(path, "a") as file:
            file.write(repr(args[:2]) + chr(10))
sys.addaudithook(hook)
from flyte_sidecar.cli.main import main
sys.exit(main())
"""
"""Runs the command, and writes the arguments of all processes that it starts into a file."""

KEYRING = "data/python_keyring/keyring_pass.cfg"
PRINT = "import os, sys; print(open(sys.argv[1]).read().replace('NUMBER', str(os.getpid())))"
BROWSER = """\
#!{python}
import ssl, sys, urllib.request
urllib.request.urlopen(sys.argv[1], context=ssl.create_default_context(cafile={ca!r})).read()
"""


class Secrets:
    """The planted secrets, by the place where they are."""

    def __init__(self) -> None:
        self._planted: dict[str, str] = {}

    def plant(self, place: str) -> str:
        """Return the secret of a place: letters and digits, so that quoting does not change it."""
        self._planted[place] = f"S3cret{sha256(place.encode()).hexdigest()[:20]}"
        return self._planted[place]

    def add(self, place: str, secret: str) -> None:
        self._planted[place] = secret

    def found_in(self, data: bytes) -> list[str]:
        """Return the places of the secrets that the data contains, as they are or in Base64."""
        return [
            place
            for place, secret in self._planted.items()
            if any(form in data for form in _forms(secret.encode()))
        ]


def _forms(secret: bytes) -> Iterator[bytes]:
    yield secret
    for offset in range(3):  # the alignment depends on what is before it
        yield b64encode(b"\0" * offset + secret)[offset and offset + 1 : -4]


class StartingWith(Struct):
    """Contains the tokens that start with a text."""

    text: str

    def __contains__(self, token: object) -> bool:
        return isinstance(token, str) and token.startswith(self.text)


class Machine(Struct):
    """A deployment with an identity provider, and a user's home folder.

    Attributes
    ----------
    secret_files
        The files in which the test or the user keeps secrets.
    """

    server: Server
    provider: EchoingProvider
    secrets: Secrets
    home: Path
    env: dict[str, str]
    options: list[str] = field(default_factory=list)
    secret_files: set[Path] = field(default_factory=set)

    @property
    def token(self) -> str:
        """The first part of the tokens that the deployment accepts."""
        return self.secrets.plant("token")

    def configure(self, *admin: str) -> None:
        """Write a config file with these lines of the section `admin`."""
        file = self.secret_file(".flyte/config.yaml", "")
        lines = [f"endpoint: {self.server.endpoint}", f"caCertFilePath: {self.home}/ca.pem", *admin]
        file.write_text("\n".join(["task: {project: p, domain: d}", "admin:", *_indented(lines)]))

    def secret_file(self, name: str, content: str) -> Path:
        """Write a file that only the user can read."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(content)
        self.secret_files.add(path)
        return path

    def command(self, output: str, place: str) -> str:
        """Return a command that prints the output, with a secret argument.

        Each time it replaces NUMBER by another number.
        """
        file = self.secret_file(f"output of {place}", output)
        argument = self.secrets.plant(f"argument of {place}")
        return json.dumps([sys.executable, "-c", PRINT, str(file), argument])


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


Scenario = Callable[[Machine], None]


def client_secret_in_a_variable(machine: Machine) -> None:
    machine.configure("clientId: me", "clientSecretEnvVar: MY_SECRET")
    machine.env["MY_SECRET"] = machine.secrets.plant("client secret in a variable")


def client_secret_in_a_file_and_a_proxy_command(machine: Machine) -> None:
    file = machine.secret_file("secret", machine.secrets.plant("client secret in a file"))
    token = machine.secrets.plant("proxy token")
    machine.configure(
        "clientId: me",
        f"clientSecretLocation: {file}",
        f"proxyCommand: {machine.command(token, 'proxyCommand')}",
    )


def api_key(machine: Machine) -> None:
    machine.configure()
    secret = machine.secrets.plant("client secret in an API key")
    key = b64encode(f"127.0.0.1:me:{secret}:".encode()).decode()
    machine.secrets.add("API key", key)
    machine.env["FLYTE_API_KEY"] = key
    machine.options += ["--endpoint", machine.server.endpoint]


def external_command(machine: Machine) -> None:
    machine.configure(
        "authType: ExternalCommand",
        f"command: {machine.command(f'{machine.token}NUMBER', 'command')}",
    )


def headers(machine: Machine) -> None:
    machine.configure("authType: Passthrough")
    other = machine.secrets.plant("another header")
    machine.env["FLYTE_SIDECAR_AUTH_HEADERS"] = json.dumps(
        {"authorization": f"Bearer {machine.token}", "x-other": other}
    )


def headers_of_a_command(machine: Machine) -> None:
    output = json.dumps({"authorization": f"Bearer {machine.token}"})
    command = machine.command(output, "command of headers")
    machine.configure("authType: Passthrough", f"command: {command}")


def stored_login(machine: Machine) -> None:
    machine.configure()
    ring = PlaintextKeyring()
    ring.file_path = str(machine.secret_file(KEYRING, ""))
    tokens = {
        "access_token": machine.secrets.plant("expired token"),
        "refresh_token": machine.secrets.plant("refresh token"),
    }
    ring.set_password(machine.server.endpoint, "tokens", json.dumps(tokens))


def browser(machine: Machine) -> None:
    machine.configure()


def device(machine: Machine) -> None:
    machine.configure("authType: DeviceFlow")


VERBS: dict[Scenario, list[str]] = {
    client_secret_in_a_variable: ["doctor"],
    client_secret_in_a_file_and_a_proxy_command: ["call", "events.pending"],
    api_key: ["login"],
    external_command: ["doctor"],
    headers: ["call", "events.pending"],
    headers_of_a_command: ["login"],
    stored_login: ["logout"],
    browser: ["login"],
    device: ["login"],
}
"""What else is run in each scenario, besides a sidecar."""


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("127.0.0.1", "flyte.example", "idp.example")


Protocol = Literal["grpc", "connect"]


@pytest.fixture
def protocol() -> Protocol:
    """What the deployment passes; a test that needs the other one parametrizes it."""
    return "grpc"


@pytest.fixture
def machine(
    ca: trustme.CA,
    certificate: trustme.LeafCert,
    protocol: Protocol,
    tmp_path: Path,
    command: dict[str, str],
) -> Iterator[Machine]:
    secrets, home = Secrets(), tmp_path / "home"
    home.mkdir()
    ca.cert_pem.write_to_path(home / "ca.pem")
    script = home / "browser"
    script.write_text(BROWSER.format(python=sys.executable, ca=str(home / "ca.pem")))
    script.chmod(0o700)
    env = {
        **{name: value for name, value in command.items() if name != "UCTL_CONFIG"},
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_STATE_HOME": str(home / "state"),
        "TMPDIR": str(home),
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "FLYTE_SIDECAR_BACKEND": "flyte",
        "BROWSER": str(script),
    }
    tls = (
        certificate.private_key_pem.bytes(),
        b"".join(blob.bytes() for blob in certificate.cert_chain_pems),
    )
    codes = secrets.plant("code"), secrets.plant("device code")
    provider = EchoingProvider(certificate, *codes)
    with Server(Model("2.0.43"), tls=tls, protocol=protocol) as server, provider:
        machine = Machine(server, provider, secrets, home, env)
        machine.secret_files.add(home / KEYRING)
        url = f"https://127.0.0.1:{provider.port}"
        server.auth.metadata = GetOAuth2MetadataResponse(
            authorization_endpoint=f"{url}/authorize",
            token_endpoint=f"{url}/token",
            device_authorization_endpoint=f"{url}/device",
        )
        server.auth.client = GetPublicClientConfigResponse(
            client_id="flytectl", redirect_uri="http://localhost/callback", scopes=["all"]
        )
        server.model.ask(RUN, "deploy", action="c1", **SCOPE)
        provider.cookie = secrets.plant("cookie")
        provider.tokens = {
            "access_token": machine.token,
            "refresh_token": secrets.plant("new refresh token"),
            "id_token": secrets.plant("id token"),
            "token_type": "Bearer",
        }
        yield machine


def accept(machine: Machine) -> None:
    machine.server.auth.tokens = StartingWith(machine.token)
    machine.provider.mode = "grant"


def reject(machine: Machine, mode: Mode) -> None:
    """Reject all logins, and quote them in the error."""
    machine.server.auth.tokens = set()
    machine.server.auth.quotes_headers = True
    machine.provider.mode = mode


@pytest.mark.parametrize("scenario", VERBS)
def test_a_login_that_succeeds_exposes_no_secret(scenario: Scenario, machine: Machine) -> None:
    scenario(machine)
    accept(machine)
    assert use(machine, VERBS[scenario]) == {"result"}
    assert machine.server.calls["GetActionDetails"] > 0


REJECTIONS = [
    *((scenario, "refuse") for scenario in VERBS),
    *((scenario, "grant") for scenario in (client_secret_in_a_variable, stored_login, device)),
    (client_secret_in_a_variable, "html"),
    (stored_login, "fail"),
]


@pytest.mark.parametrize(("scenario", "mode"), REJECTIONS)
def test_a_login_that_fails_exposes_no_secret(
    scenario: Scenario, mode: Mode, machine: Machine
) -> None:
    scenario(machine)
    reject(machine, mode)
    requests = READS if mode in ("html", "fail") else REQUESTS
    kinds = use(machine, VERBS[scenario], requests)
    assert kinds <= {"unauthenticated", "backend_unavailable"}


@pytest.mark.parametrize("protocol", ["connect"])
@pytest.mark.parametrize("accepted", [True, False])
def test_no_secret_is_exposed_over_connect(accepted: bool, machine: Machine) -> None:
    external_command(machine)
    if accepted:
        accept(machine)
    else:
        reject(machine, "refuse")
    assert use(machine, ["doctor"]) == ({"result"} if accepted else {"unauthenticated"})


@pytest.mark.parametrize("works", [True, False])
def test_the_passwords_of_proxies_are_not_exposed(works: bool, machine: Machine) -> None:
    client_secret_in_a_variable(machine)
    provider = f"127.0.0.1:{machine.provider.port}"
    with ConnectProxy(machine.server.endpoint) as outer, ConnectProxy(provider) as inner:
        password = machine.secrets.plant("password of a proxy")
        machine.env["HTTPS_PROXY"] = f"http://user:{password}@{outer.address}"
        password = machine.secrets.plant("password of httpProxyURL")
        file = machine.home / ".flyte" / "config.yaml"
        proxy = f"  httpProxyURL: http://user:{password}@{inner.address}\n"
        file.write_text(
            file.read_text().replace(machine.server.endpoint, "flyte.example") + "\n" + proxy
        )
        metadata = machine.server.auth.metadata
        assert metadata is not None
        metadata.token_endpoint = "https://idp.example/token"
        accept(machine)
        if works:
            assert use(machine, ["doctor"]) == {"result"}
        else:
            inner.error = "HTTP/1.1 407 Proxy Authentication Required"
            assert use(machine, ["doctor"], READS) == {"backend_unavailable"}
        assert "Proxy-Authorization" in outer.requests[0]
        assert "idp.example" in inner.requests[0]


OPTIONS = ("--log-level", "debug")

Requests = list[tuple[str, dict[str, Any]]]

READS: Requests = [
    ("events.pending", {}),
    ("events.get", {"runName": RUN, "name": "deploy"}),
]
"""What fails alone if no token can be obtained now: the others would retry the same reads again."""

REQUESTS: Requests = [
    *READS,
    ("events.signal", {"runName": RUN, "name": "deploy", "payload": True}),
    ("events.wait", {"runName": RUN, "name": "deploy"}),
]


def use(machine: Machine, verb: list[str], requests: Requests = REQUESTS) -> set[str]:
    """Use the deployment, check all output, and return the kinds of the responses to requests."""
    children = machine.home / "children"
    wrapped = [sys.executable, "-c", REPORT_CHILDREN, str(children)]
    outputs: list[bytes] = []
    kinds: dict[int, str] = {}
    with running(machine, wrapped) as sidecar:
        for number, (method, params) in enumerate(requests):
            sidecar.request(number, method, **params)
        while len(kinds) < len(requests):
            message = sidecar.answer()  # or a notification
            outputs.append(json.dumps(message).encode())
            if "id" in message:
                kinds[message["id"]] = kind(message)
        outputs.append(Path(f"/proc/{sidecar.pid}/cmdline").read_bytes())
        sidecar.end_input()
        outputs.append(json.dumps(sidecar.read_all()).encode())
        assert sidecar.status() == 0
        outputs.append(sidecar.errors.read_bytes())
    done = subprocess.run(
        [*wrapped, *OPTIONS, "--log-file", str(machine.home / "log"), *machine.options, *verb],
        env=machine.env,
        cwd=machine.home,
        capture_output=True,
        timeout=TEST_TIMEOUT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    outputs += [done.stdout, done.stderr]
    check(machine, outputs, children)
    return set(kinds.values())


@contextmanager
def running(machine: Machine, command: list[str]) -> Iterator[Process]:
    process = Process(
        machine.home / "events.db",
        *OPTIONS,
        *machine.options,
        command=command,
        backend_options=(),
        env=machine.env,
        cwd=machine.home,
    )
    try:
        yield process
    finally:
        process.clear()


def check(machine: Machine, outputs: list[bytes], children: Path) -> None:
    """Assert that no output, argument or readable file contains a secret."""
    secrets = machine.secrets
    for name, value in machine.provider.received:
        if name in ("code_verifier", "refresh_token", "device_code", "code"):
            secrets.add(f"{name} that was sent", value)
    for output in outputs:
        assert secrets.found_in(output) == [], output.decode(errors="replace")
    started = children.read_bytes() if children.exists() else b""
    children.unlink(missing_ok=True)
    own = [place for place in secrets.found_in(started) if place.startswith("argument of ")]
    assert secrets.found_in(started) == own, started.decode()
    for path in machine.home.rglob("*"):
        if not path.is_file():
            continue
        if path in machine.secret_files:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        else:
            assert secrets.found_in(path.read_bytes()) == [], path


def test_the_search_finds_every_form_of_a_secret() -> None:
    secrets = Secrets()
    secret = secrets.plant("a place")
    for before in ("", "a", "ab", "user:"):
        for after in ("", "x", ":y"):
            text = before + secret + after
            assert secrets.found_in(text.encode()) == ["a place"]
            assert secrets.found_in(b64encode(text.encode())) == ["a place"]
    assert secrets.found_in(b"S3cret") == []
