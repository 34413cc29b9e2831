"""Valid and invalid endpoints of a deployment."""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv6Address
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.endpoint import (
    Deployment,
    action_url,
    org_from_host,
    split_endpoint,
)
from tests.backends.flyte.config.cases import LINKS


@pytest.mark.parametrize(
    ("endpoint", "host", "port"),
    [
        ("flyte.example.com", "flyte.example.com", None),
        ("flyte.example.com:8089", "flyte.example.com", 8089),
        ("flyte.example.com:1", "flyte.example.com", 1),
        ("flyte.example.com:65535", "flyte.example.com", 65535),
        ("localhost", "localhost", None),
        ("Flyte.Example.COM:443", "flyte.example.com", 443),
        ("flyte.example.com.", "flyte.example.com.", None),
        ("my_service.default", "my_service.default", None),
        ("bücher.example", "bücher.example", None),
        ("10.0.0.7:30080", "10.0.0.7", 30080),
        (" flyte.example.com:8089\n", "flyte.example.com", 8089),
        ("[::1]", "::1", None),
        ("[::1]:8090", "::1", 8090),
        ("[2001:DB8:0:0::1]:443", "2001:db8::1", 443),
        ("[::ffff:10.0.0.7]", str(IPv6Address("::ffff:10.0.0.7")), None),
    ],
)
def test_an_endpoint_is_a_host_with_an_optional_port(
    endpoint: str, host: str, port: int | None
) -> None:
    assert split_endpoint(endpoint) == (host, port)


@pytest.mark.parametrize("scheme", ["dns:///", "dns://", "http://", "https://"])
@pytest.mark.parametrize("rest", ["flyte.example.com", "flyte.example.com:8089", "[::1]:8089"])
@pytest.mark.parametrize("end", ["", "/"])
def test_a_scheme_is_ignored(scheme: str, rest: str, end: str) -> None:
    assert split_endpoint(scheme + rest + end) == split_endpoint(rest)


@pytest.mark.parametrize("scheme", ["", "dns:///", "http://", "https://"])
def test_only_insecure_determines_the_default_port(scheme: str) -> None:
    assert Deployment(endpoint=f"{scheme}h.example").address == "h.example:443"
    assert Deployment(endpoint=f"{scheme}h.example", insecure=True).address == "h.example:80"


@pytest.mark.parametrize("insecure", [False, True])
def test_an_explicit_port_is_used(insecure: bool) -> None:
    assert Deployment(endpoint="h.example:8089", insecure=insecure).address == "h.example:8089"


def test_an_ipv6_address_is_written_in_brackets() -> None:
    assert Deployment(endpoint="[::1]").address == "[::1]:443"
    assert Deployment(endpoint="[::1]:8090", insecure=True).address == "[::1]:8090"


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        " ",
        "/",
        "https://",
        "dns:///",
        "dns:////h",
        "https:///h",
        ":443",
        "h:",
        "h:0",
        "h:65536",
        "h:99999999999999999999",
        "h:-1",
        "h:+1",
        "h:1_0",
        "h: 80",
        "h:٣",
        "h:port",
        "h:80:80",
        "h//",
        "h/path",
        "h?query",
        "h#part",
        "h\\path",
        "a b",
        "a\tb",
        "a\nb",
        "a\0b",
        "a,b",
        "-h",
        ".h",
        "%00",
        "\ud800",
        "::1",
        "2001:db8::1",
        "2001:db8::1:443",
        "[::1",
        "::1]",
        "[]",
        "[]:80",
        "[h]:80",
        "[10.0.0.7]",
        "[v1.a]",
        "[::1]x:80",
        "a[::1]",
        "[::1%a b]",
        "[[::1]]",
        "ftp://h",
        "unix:///run/flyte.sock",
        "passthrough:///h",
        "https://https://h",
        "dns://8.8.8.8/h",
        "dns:h",
    ],
)
def test_an_invalid_endpoint_is_rejected(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        split_endpoint(endpoint)
    with pytest.raises(ValueError, match="endpoint"):
        Deployment(endpoint=endpoint)


@pytest.mark.parametrize("endpoint", ["2001:db8::1", "::1", "[10.0.0.7]", "[h]"])
def test_the_error_of_an_invalid_address_contains_the_expected_form(endpoint: str) -> None:
    with pytest.raises(ValueError, match=re.escape("[IPv6 address][:port]")) as caught:
        split_endpoint(endpoint)
    assert repr(endpoint) in str(caught.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "amelie:hunter2@h.example",
        "https://amelie:hunter2@h.example:443",
        "dns:///amelie:hunter2@h.example",
        "amelie:hunter2@h.example/path",
        "amelie:hun/ter2@h.example",
        "ftp://amelie:hunter2@h.example",
        "amelie:hunter2://@h.example",
        "amelie:hunter2@https://h.example",
        "amelie:hunter2@",
        "@amelie:hunter2@h.example",
        "amelie:hunter2@[::1",
        "amelie:hunter2@h:port",
        "hunter2@h.example",
    ],
)
def test_an_endpoint_with_a_password_is_rejected_without_repeating_it(endpoint: str) -> None:
    with pytest.raises(ValueError, match="must not contain a user or a password") as caught:
        Deployment(endpoint=endpoint)
    for secret in ("amelie", "hun", "ter2"):
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("host", "org"),
    [
        ("acme.example.com", "acme"),
        ("acme.cloud.example.com", "acme"),
        ("acme.example.com.", "acme"),
        ("example.com", None),
        ("example.com.", None),
        ("localhost", None),
        ("10.0.0.7", None),
        ("10.0.0.7.", None),
        ("010.0.0.7", None),
        ("127.0.1", None),
        ("::1", None),
        ("::ffff:10.0.0.7", None),
        ("fe80::1%eth0.a.b", None),
    ],
)
def test_the_org_is_the_first_label_of_a_host_name_with_three(host: str, org: str | None) -> None:
    assert org_from_host(host) == org


def test_an_explicit_org_takes_precedence_over_the_host_name() -> None:
    endpoint = "dns:///Acme.Example.com:443"
    assert Deployment(endpoint=endpoint).default_org == "acme"
    assert Deployment(endpoint=endpoint, org="other").default_org == "other"
    assert Deployment(endpoint="10.0.0.7:80").default_org is None
    assert Deployment(endpoint="10.0.0.7:80", org="other").default_org == "other"


@pytest.mark.parametrize(("endpoint", "insecure", "console"), LINKS)
def test_a_run_has_a_url_in_the_console(endpoint: str, insecure: bool, console: str) -> None:
    deployment = Deployment(endpoint=endpoint, insecure=insecure)
    url = f"{console}/v2/domain/development/project/flytesnacks/runs/r1"
    assert deployment.run_url("flytesnacks", "development", "r1") == url


@pytest.mark.parametrize(
    ("console", "insecure", "base"),
    [
        ("console.example.com", False, "https://console.example.com"),
        ("console.example.com", True, "http://console.example.com"),
        (" Console.example.com:8443/\n", False, "https://console.example.com:8443"),
        ("dns:///console.example.com", True, "http://console.example.com"),
        ("http://console.example.com", False, "http://console.example.com"),
        ("https://console.example.com:30080/v2", True, "https://console.example.com:30080"),
        ("https://example.com/flyte/console/", True, "https://example.com/flyte/console"),
        ("https://example.com/flyte/v2/", True, "https://example.com/flyte"),
        ("localhost:8090", True, "http://localhost:8090"),
        ("[::1]:8080", True, "http://[::1]:8080"),
    ],
)
def test_the_console_may_have_an_own_address(console: str, insecure: bool, base: str) -> None:
    deployment = Deployment(endpoint="h.example:1", console=console, insecure=insecure)
    assert deployment.run_url("p", "d", "r1") == f"{base}/v2/domain/d/project/p/runs/r1"


@pytest.mark.parametrize(
    "console",
    ["", "/", "https://", "ftp://h", "javascript://h", "javascript:x", "https://u:s3cret@h", "h:x",
     "s3cret@h", "https://h?s3cret", "https://h/#s3cret", "https://h/a b", "https://h/\"<>",
     "https:///h", "https://h//x", "http://https://h"],
)  # fmt: skip
def test_an_invalid_console_is_rejected_without_repeating_it(console: str) -> None:
    with pytest.raises(ValueError, match="the console must be") as caught:
        Deployment(endpoint="h.example", console=console)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_names_are_quoted_in_the_url() -> None:
    url = Deployment(endpoint="h.example").run_url("p/q", "d?e", "r #1/../ü%")
    assert url == "https://h.example/v2/domain/d%3Fe/project/p%2Fq/runs/r%20%231%2F..%2F%C3%BC%25"


NAMES = st.text(min_size=1)


@given(NAMES, NAMES, NAMES, NAMES)
def test_every_name_can_be_read_from_the_url(
    project: str, domain: str, run: str, action: str
) -> None:
    of_run = Deployment(endpoint="h.example:1").run_url(project, domain, run)
    url = urlsplit(action_url(of_run, action))
    assert (url.netloc, url.fragment) == ("h.example:1", "")
    assert parse_qs(url.query) == {"i": [action]}
    parts = [unquote(part) for part in url.path.split("/")]
    assert parts == ["", "v2", "domain", domain, "project", project, "runs", run]


PIECES = st.sampled_from(
    ["dns:", "http", "https", "://", "/", ":", "[", "]", "::", "@", "%", ".", "h", "80", "é", "\0"]
)


@given(st.text() | st.lists(PIECES).map("".join))
@example("[::1]:80")
@example("http://[")
@example("//[v1.x]@")
def test_any_text_is_a_valid_endpoint_or_a_value_error(endpoint: str) -> None:
    with suppress(ValueError):
        host, port = split_endpoint(endpoint)
        assert host
        assert port is None or 0 < port < 65536
        deployment = Deployment(endpoint=endpoint)
        # The address is itself a valid endpoint.
        assert split_endpoint(deployment.address) == (host, port or 443)
        assert urlsplit(deployment.run_url("p", "d", "r")).path.startswith("/v2/")


@given(st.text() | st.lists(PIECES | st.sampled_from(["/v2", "?", "#", "\\"])).map("".join))
@example("https://h//v2")
@example("http://[::1]/v2/v2/")
def test_any_text_is_the_address_of_a_console_or_a_value_error(console: str) -> None:
    with suppress(ValueError):
        deployment = Deployment(endpoint="h.example", console=console)
        url = urlsplit(deployment.run_url("p", "d", "r"))
        assert url.scheme in ("http", "https")
        assert url.hostname
        assert (url.username, url.query, url.fragment) == (None, "", "")
        assert url.path.endswith("/v2/domain/d/project/p/runs/r")


def test_an_unknown_transport_is_rejected() -> None:
    with pytest.raises(ValueError, match="must be one of auto, grpc, connect, not 'http'"):
        Deployment(endpoint="h", transport="http")
