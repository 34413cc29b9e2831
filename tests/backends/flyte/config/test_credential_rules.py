"""Which credentials are used for which endpoint, and which config files may choose them."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from flyte_sidecar.backends.flyte.config import Config, ConfigError, Overrides, load
from flyte_sidecar.backends.flyte.credentials import Credentials

SECRET = "s3cret"

CREDENTIALS = {
    "admin.command": f"authType: ExternalCommand, command: [mint, {SECRET}]",
    "admin.proxyCommand": f"proxyCommand: [mint, {SECRET}]",
    "admin.clientSecretEnvVar": "clientId: me, clientSecretEnvVar: MY_SECRET",
    "admin.clientSecretLocation": "clientId: me, clientSecretLocation: ../secret",
}
"""Values of the section `admin` with one credential, by its key."""

VARIABLES = {
    "FLYTE_AUTH_COMMAND": {"FLYTE_AUTH_TYPE": "ExternalCommand", "FLYTE_AUTH_COMMAND": SECRET},
    "FLYTE_AUTH_PROXY_COMMAND": {"FLYTE_AUTH_PROXY_COMMAND": SECRET},
    "FLYTE_ADMIN_CLIENTSECRETENVVAR": {"FLYTE_ADMIN_CLIENTSECRETENVVAR": "MY_SECRET"},
    "FLYTE_ADMIN_CLIENTSECRETLOCATION": {"FLYTE_ADMIN_CLIENTSECRETLOCATION": "../secret"},
    "FLYTE_SIDECAR_AUTH_HEADERS": {
        "FLYTE_AUTH_TYPE": "Passthrough",
        "FLYTE_SIDECAR_AUTH_HEADERS": f"authorization: Bearer {SECRET}",
    },
}
"""Environments with one credential, by the variable that an error names."""


@pytest.fixture(autouse=True)
def secret_file(home: Path) -> None:
    (home.parent / "secret").write_text(SECRET)


def load_with(environment: dict[str, str] | None = None, **options: str | bool) -> Config:
    return load(Overrides(**options), {"MY_SECRET": SECRET, **(environment or {})})  # type: ignore[arg-type]


def credentials(config: Config) -> Credentials:
    return config.deployment.credentials


def write(path: str | Path, admin: str, endpoint: str | None = "file.example") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    first = "" if endpoint is None else f"endpoint: {endpoint}, "
    Path(path).write_text(f"# a comment\nadmin: {{{first}{admin}}}\n")


OTHER_ENDPOINTS: list[tuple[dict[str, str], dict[str, str]]] = [
    ({}, {"endpoint": "other.example"}),
    ({"FLYTE_ADMIN_ENDPOINT": "dns:///other.example:443"}, {}),
]


@pytest.mark.parametrize(("environment", "options"), OTHER_ENDPOINTS)
@pytest.mark.parametrize("key", CREDENTIALS)
def test_the_credentials_of_a_file_are_not_used_for_another_host(
    key: str, environment: dict[str, str], options: dict[str, str], file: Path
) -> None:
    write(file, CREDENTIALS[key])
    assert credentials(load_with()) != Credentials()
    with pytest.raises(ConfigError) as raised:
        load_with(environment, **options)
    message = str(raised.value)
    assert message.startswith(f"{file}, line 2: `{key}` is for file.example, and not used for ")
    assert "other.example" in message
    assert "set it in the environment" in message
    assert "--config" in message
    assert SECRET not in message


@pytest.mark.parametrize("key", ["admin.proxyCommand"])
def test_an_api_key_for_another_host_gets_no_credentials_of_a_file(key: str, file: Path) -> None:
    write(file, CREDENTIALS[key])
    api_key = {"FLYTE_API_KEY": base64.b64encode(b"other.example:me:secret:").decode()}
    with pytest.raises(ConfigError, match=r"is for file\.example, .* \(FLYTE_API_KEY\)"):
        load_with(api_key)
    write(file, CREDENTIALS["admin.command"])  # it is not used: the key selects ClientSecret
    assert credentials(load_with(api_key)).command is None


@pytest.mark.parametrize("key", CREDENTIALS)
@pytest.mark.parametrize(
    ("own", "chosen"),
    [("file.example", "https://FILE.example:8443/"), (None, "other.example")],
)
def test_the_credentials_of_a_file_are_used_for_its_own_host_and_without_one_for_any(
    key: str, own: str | None, chosen: str, file: Path
) -> None:
    write(file, CREDENTIALS[key], own)
    used = credentials(load_with(endpoint=chosen))
    assert {used.command, used.proxy_command, used.client_secret} != {None}


def test_the_host_of_a_file_is_that_of_the_selected_profile(file: Path) -> None:
    write(file, CREDENTIALS["admin.command"])
    profile = "profiles: {staging: {admin: {endpoint: staging.example}}}\n"
    file.write_text(file.read_text() + profile)
    environment = {"FLYTE_PROFILE": "staging"}
    assert credentials(load_with(environment, endpoint="staging.example")).command is not None
    with pytest.raises(ConfigError, match=r"is for staging\.example"):
        load_with(environment, endpoint="file.example")


@pytest.mark.parametrize("host", ["union: {connection: {host: dns:///u.example}}\n", ""])
def test_the_host_of_a_union_config_counts(host: str, file: Path) -> None:
    write(file, CREDENTIALS["admin.proxyCommand"], None)
    file.write_text(file.read_text() + host)
    if host:
        with pytest.raises(ConfigError, match=r"is for u\.example"):
            load_with(endpoint="other.example")
    else:
        assert credentials(load_with(endpoint="other.example")).proxy_command is not None


@pytest.mark.parametrize("key", CREDENTIALS)
def test_plaintext_uses_no_credentials_of_another_host(key: str, file: Path) -> None:
    write(file, CREDENTIALS[key])
    config = load_with(endpoint="other.example", insecure=True)
    used = credentials(config)
    assert (used.command, used.proxy_command, used.client_secret) == (None, None, None)
    (skipped,) = config.skipped
    assert skipped.startswith(f"{file}, line 2: `{key}` is for file.example")


@pytest.mark.parametrize("auth", ["", "authType: Pkce", "authType: DeviceFlow, scopes: [all]"])
def test_a_file_without_credentials_can_be_used_with_any_endpoint(auth: str, file: Path) -> None:
    write(file, auth)
    assert load_with(endpoint="other.example").deployment.address == "other.example:443"


@pytest.mark.parametrize("variable", VARIABLES)
def test_credentials_of_the_environment_are_used_for_any_endpoint_that_the_user_has_chosen(
    variable: str, file: Path
) -> None:
    write(file, "")
    for options in ({}, {"endpoint": "other.example"}):
        used = credentials(load_with(VARIABLES[variable], **options))
        assert {used.command, used.proxy_command, used.client_secret, used.headers} != {None}


FOUND = ["config.yaml", ".flyte/config.yaml", "../.flyte/config.yaml"]
"""Paths of files that are found from the current folder."""


@pytest.fixture
def repository(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository; the current folder is one in it."""
    work = home.parent / "work"
    (work / ".git").mkdir()
    (work / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (work / "deep").mkdir()
    (work / "secret").write_text(SECRET)  # paths are relative to the current folder
    monkeypatch.chdir(work / "deep")
    return work


CHOICES = {**CREDENTIALS, "admin.httpProxyURL": f"httpProxyURL: 'http://u:{SECRET}@proxy:1'"}


@pytest.mark.parametrize("path", FOUND)
@pytest.mark.parametrize("key", CHOICES)
@pytest.mark.usefixtures("repository")
def test_a_file_that_was_only_found_chooses_no_program_no_secret_and_no_proxy(
    key: str, path: str
) -> None:
    write(path, CHOICES[key])
    for options in ({}, {"insecure": True}, {"endpoint": "other.example"}):
        with pytest.raises(ConfigError) as raised:
            load_with(**options)
        message = str(raised.value)
        found = os.path.abspath(path)
        assert message.startswith(f"{found}, line 2: `{key}` is not accepted in a file that was ")
        assert f"--config {found}" in message
        assert SECRET not in message


@pytest.mark.usefixtures("repository")
def test_no_secret_is_read_for_a_file_that_was_only_found() -> None:
    write("config.yaml", "clientSecretLocation: /no/such/file")
    with pytest.raises(ConfigError, match="is not accepted"):
        load_with()


@pytest.mark.posix
@pytest.mark.parametrize("path", FOUND)
@pytest.mark.parametrize("key", CHOICES)
@pytest.mark.parametrize("naming", ["option", "UCTL_CONFIG", "FLYTECTL_CONFIG", "home", "link"])
@pytest.mark.usefixtures("repository")
def test_a_file_that_the_user_has_named_too_may_choose_them(
    naming: str, key: str, path: str, file: Path
) -> None:
    write(path, CHOICES[key])
    found = os.path.abspath(path)
    options: dict[str, str] = {}
    environment: dict[str, str] = {}
    if naming == "option":
        options["config"] = path
    elif naming == "home":
        Path(path).rename(file)
        Path(path).symlink_to(file)
    elif naming == "link":
        file.symlink_to(found)
    else:
        environment[naming] = found
    config = load_with(environment, **options)
    assert credentials(config) != Credentials()
    assert config.deployment.config_named


@pytest.mark.usefixtures("repository", "home")
def test_another_named_file_does_not_trust_the_one_that_was_found(tmp_path: Path) -> None:
    write(".flyte/config.yaml", CHOICES["admin.command"])
    write(tmp_path / "named.yaml", "")
    for environment in ({"UCTL_CONFIG": str(tmp_path / "named.yaml")}, {"UCTL_CONFIG": "/no"}):
        with pytest.raises(ConfigError, match="is not accepted"):
            load_with(environment)


@pytest.mark.usefixtures("repository")
def test_a_file_that_was_only_found_counts_as_such() -> None:
    write(".flyte/config.yaml", "admin: {endpoint: h}")
    assert not load_with().deployment.config_named


@pytest.mark.usefixtures("repository")
def test_a_variable_precedes_the_key_of_a_file_that_was_only_found() -> None:
    write("config.yaml", CHOICES["admin.command"], None)
    environment = {"FLYTE_AUTH_COMMAND": "own", "FLYTE_ADMIN_ENDPOINT": "env.example"}
    command = credentials(load_with(environment)).command
    assert command is not None
    assert command.reveal() == ("own",)


@pytest.mark.parametrize(
    "admin", ["", "authType: Pkce", "authType: DeviceFlow", "insecure: true", "scopes: [all]"]
)
@pytest.mark.parametrize("path", FOUND)
@pytest.mark.usefixtures("repository")
def test_what_flyte_create_config_writes_needs_no_option(path: str, admin: str) -> None:
    write(path, admin)
    with Path(path).open("a") as file:
        file.write("image: {builder: local}\ntask: {org: o, project: p, domain: d}\n")
    deployment = load_with().deployment
    assert (deployment.endpoint, deployment.project) == ("file.example", "p")


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("path", FOUND)
@pytest.mark.usefixtures("repository")
def test_the_endpoint_of_a_file_that_was_only_found_gets_no_credentials_of_the_environment(
    variable: str, path: str
) -> None:
    write(path, "")
    environment = VARIABLES[variable]
    with pytest.raises(ConfigError) as raised:
        load_with(environment)
    message, found = str(raised.value), os.path.abspath(path)
    assert message.startswith(f"{variable}: `")
    assert f"is not sent to file.example ({found}, line 2, a file that was only found" in message
    assert f"--config {found}" in message
    assert SECRET not in message

    config = load_with(environment, insecure=True)
    used = credentials(config)
    assert {used.command, used.proxy_command, used.client_secret, used.headers} == {None}
    assert len(config.skipped) == 1

    for options in ({"config": path}, {"endpoint": "file.example"}):
        used = credentials(load_with(environment, **options))
        assert {used.command, used.proxy_command, used.client_secret, used.headers} != {None}


def test_headers_are_used_for_the_kind_passthrough_only(file: Path) -> None:
    write(file, "authType: Pkce")
    headers = {"FLYTE_SIDECAR_AUTH_HEADERS": f"x: {SECRET}"}
    assert credentials(load_with(headers)).headers is None
    config = load_with({**headers, "FLYTE_AUTH_TYPE": "Passthrough"})
    used = credentials(config).headers
    assert used is not None
    assert used.reveal() == f"x: {SECRET}"
    shown = {(setting.name, setting.text, setting.source) for setting in config.settings}
    assert ("headers", "***", "FLYTE_SIDECAR_AUTH_HEADERS") in shown
    assert SECRET not in repr(config)
    blank = {"FLYTE_AUTH_TYPE": "Passthrough", "FLYTE_SIDECAR_AUTH_HEADERS": " "}
    assert credentials(load_with(blank)).headers is None


def test_the_console_of_a_file_is_that_of_its_own_endpoint(file: Path) -> None:
    write(file, "")
    file.write_text(file.read_text() + "console: {endpoint: 'https://c.example/ui'}\n")
    for options in ({}, {"endpoint": "file.example:8443"}):
        assert load_with(**options).deployment.console == "https://c.example/ui"
    config = load_with(endpoint="other.example")
    assert config.deployment.console is None
    assert config.skipped == (f"{file}, line 3: `console.endpoint` is the console of file.example",)
    variable = {"FLYTE_CONSOLE_ENDPOINT": "env.example"}
    assert load_with(variable, endpoint="other.example").deployment.console == "env.example"
    write(file, "", None)
    file.write_text(file.read_text() + "console: {endpoint: c.example}\n")
    assert load_with(endpoint="other.example").deployment.console == "c.example"
