"""HTTP proxies from environment variables, for calls and for fetching a certificate."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator

import pytest
import trustme

from flyte_sidecar.backends.flyte.proxy import NO_PROXY_VARIABLES, PROXY_VARIABLES, proxy_for
from tests.backends.flyte.connect_proxy import ConnectProxy
from tests.conftest import run
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

Environment = dict[str, str]

HOST = "runs.flyte.test"
"""A host that is reachable only through the proxy."""

SECRET = "hunter2"
BASIC = b64encode(f"ada:{SECRET}/".encode()).decode()
every_variable = pytest.mark.parametrize("variable", PROXY_VARIABLES)


@pytest.fixture
def env(command: Environment) -> Environment:
    return {name: value for name, value in command.items() if "PROXY" not in name.upper()}


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    """A proxy to a plaintext server."""
    with Server(model()) as server, ConnectProxy(server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def tls_proxy() -> Iterator[ConnectProxy]:
    """A proxy to a TLS server with an untrusted certificate."""
    cert = trustme.CA().issue_cert(HOST)
    pem = cert.private_key_pem.bytes(), b"".join(blob.bytes() for blob in cert.cert_chain_pems)
    with Server(model(), tls=pem) as server, ConnectProxy(server.endpoint) as proxy:
        yield proxy


def model() -> Model:
    model = Model("2.0.43")
    model.ask("r1", "approve", action="e1", project="p", domain="d")
    return model


def flyte(env: Environment, verb: str, *options: str, host: str = HOST) -> tuple[int, str]:
    words = ["--backend", "flyte", "--endpoint", host, "--project", "p", "--domain", "d"]
    more = ["events.get", '{"runName":"r1","name":"approve"}'] if verb == "call" else []
    done = run("flyte-sidecar", *words, *options, verb, *more, env=env)
    return done.returncode, done.stdout + done.stderr


@every_variable
def test_calls_use_the_proxy_of_any_variable(
    variable: str, env: Environment, proxy: ConnectProxy
) -> None:
    env[variable] = f"http://{proxy.address}"
    status, output = flyte(env, "call", "--insecure")
    assert status == 0, output
    assert {head.split()[1] for head in proxy.requests} == {f"{HOST}:80"}


def test_the_certificate_is_fetched_through_the_same_proxy(
    env: Environment, tls_proxy: ConnectProxy
) -> None:
    env["HTTPS_PROXY"] = f"http://ada:{SECRET}%2F@{tls_proxy.address}"
    status, output = flyte(env, "call", "--insecure-skip-verify")
    assert status == 0, output
    assert len(tls_proxy.requests) == 3  # two for the certificate and its names
    for head in tls_proxy.requests:
        assert head.startswith(f"CONNECT {HOST}:443 HTTP/1.1\r\n")
        assert f"Proxy-Authorization: Basic {BASIC}\r\n".lower() in head.lower()


@pytest.mark.parametrize("excluding", NO_PROXY_VARIABLES)
@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY"])
def test_an_excluded_host_is_called_without_the_proxy(
    variable: str, excluding: str, env: Environment, proxy: ConnectProxy
) -> None:
    env |= {variable: f"http://{proxy.address}", excluding: "a.test, .flyte.test"}
    status, output = flyte(env, "doctor", "--insecure")
    assert status == 1
    assert proxy.address not in output
    assert proxy.requests == []


@pytest.mark.parametrize("trust", ["--insecure", "--insecure-skip-verify"])
@pytest.mark.parametrize("verb", ["call", "doctor"])
def test_errors_and_doctor_show_the_proxy_without_its_password(
    verb: str, trust: str, env: Environment, proxy: ConnectProxy
) -> None:
    proxy.error = "HTTP/1.1 407 Proxy Authentication Required"
    env["https_proxy"] = f"http://ada:{SECRET}@{proxy.address}"
    status, output = flyte(env, verb, trust)
    assert status == 1
    assert f"(proxy {proxy.address})" in output
    assert "407" in output
    assert ("(from https_proxy)" in output) == (verb == "doctor")
    for hidden in (SECRET, "ada", BASIC):
        assert hidden not in output


def test_doctor_shows_the_proxy(env: Environment, proxy: ConnectProxy) -> None:
    env["HTTPS_PROXY"] = proxy.address
    status, output = flyte(env, "doctor", "--insecure")
    assert status == 0, output
    assert f"{proxy.address} (from HTTPS_PROXY)" in output


@pytest.mark.parametrize(
    "value", ["socks5://ada:pw@h:1", "https://ada:pw@h", "http://", "h:x", "\udcff"]
)
def test_an_unsupported_proxy_is_an_error_without_its_value(value: str, env: Environment) -> None:
    env["HTTPS_PROXY"] = value
    for verb, expected in (("doctor", 1), ("call", 2)):
        status, output = flyte(env, verb)
        assert status == expected
        assert "HTTPS_PROXY must be http://host:port" in output
        assert "pw" not in output
    assert (
        run("flyte-sidecar", "doctor", env=env).returncode == 0
    )  # the embedded store needs no proxy


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_localhost_is_called_without_the_proxy(host: str) -> None:
    assert proxy_for(host, {"https_proxy": "http://proxy:3128"}) is None


@pytest.mark.parametrize(
    ("excluded", "host", "direct"),
    [
        ("*", "h.example", True),
        ("h.example", "h.example", True),
        ("H.Example", "h.example", True),
        ("example", "h.example", True),
        (".example", "h.example", True),
        ("*.example", "h.example", True),
        (".h.example", "h.example", True),
        ("other.example", "h.example", False),
        ("a,b c , h.example", "h.example", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "h.example", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fd00::/8", "fd00::1", True),
        ("x/y", "h.example", False),
        (" , ", "h.example", False),
    ],
)
def test_no_proxy_excludes_hosts_domains_and_networks(
    excluded: str, host: str, direct: bool
) -> None:
    found = proxy_for(host, {"https_proxy": "http://proxy:3128", "no_proxy": excluded})
    assert (found is None) == direct


def test_the_first_variable_with_a_value_applies() -> None:
    values = {"grpc_proxy": " ", "HTTPS_PROXY": "http://[::1]:8080/", "http_proxy": "http://other"}
    found = proxy_for("h.example", values)
    assert found is not None
    assert (found.address, found.url, found.variable) == (
        "[::1]:8080",
        "http://[::1]:8080",
        "HTTPS_PROXY",
    )
    assert proxy_for("h.example", {}) is None
