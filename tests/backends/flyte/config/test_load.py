"""Precedence, profiles, errors, and what is shown of the result."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.config import ConfigError, Overrides, load
from flyte_sidecar.backends.flyte.config.keys import ALL
from flyte_sidecar.backends.flyte.proxy import Proxy
from tests.backends.flyte.config.conftest import Load

FULL = """\
admin:
  endpoint: file.example
  insecure: true
  insecureSkipVerify: true
  caCertFilePath: /file.pem
task:
  org: file-org
  project: file-project
  domain: file-domain
"""
ENVIRONMENT = {
    "FLYTE_ADMIN_ENDPOINT": "env.example",
    "FLYTE_ADMIN_INSECURE": "false",
    "FLYTE_ADMIN_INSECURESKIPVERIFY": "false",
    "FLYTE_ADMIN_CACERTFILEPATH": "/env.pem",
    "FLYTE_TASK_ORG": "env-org",
    "FLYTE_TASK_PROJECT": "env-project",
    "FLYTE_TASK_DOMAIN": "env-domain",
}
OPTIONS = {
    "endpoint": ("option.example", "env.example", "file.example"),
    "insecure": (True, False, True),
    "insecure_skip_verify": (True, False, True),
    "ca_cert_file": ("/option.pem", "/env.pem", "/file.pem"),
    "org": ("option-org", "env-org", "file-org"),
    "project": ("option-project", "env-project", "file-project"),
    "domain": ("option-domain", "env-domain", "file-domain"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_options_precede_the_environment_which_precedes_the_file(
    option: str, file: Path, load_config: Load
) -> None:
    file.write_text(FULL)
    chosen, of_environment, of_file = OPTIONS[option]
    assert getattr(load_config().deployment, option) == of_file
    assert getattr(load_config(ENVIRONMENT).deployment, option) == of_environment
    both = load_config(ENVIRONMENT, **{option: chosen})
    assert getattr(both.deployment, option) == chosen
    if isinstance(chosen, bool):
        assert getattr(load_config(**{option: False}).deployment, option) is False


def test_an_api_key_precedes_all_but_the_options(file: Path, load_config: Load) -> None:
    file.write_text(FULL)
    key = {"FLYTE_API_KEY": base64.b64encode(b"key.example:me:s3cret:key-org").decode()}
    deployment = load_config({**ENVIRONMENT, **key}).deployment
    assert (deployment.endpoint, deployment.org) == ("key.example", "key-org")
    deployment = load_config({**ENVIRONMENT, **key}, endpoint="o.example", org="o").deployment
    assert (deployment.endpoint, deployment.org) == ("o.example", "o")
    assert deployment.credentials.client_id == "me"


@pytest.mark.parametrize(
    "text", ["https://key.example:me:s3cret:o", "dns:///key.example:me:s3cret:o"]
)
def test_the_endpoint_of_an_api_key_may_have_a_scheme(text: str, load_config: Load) -> None:
    key = base64.b64encode(text.encode()).decode()
    assert load_config({"FLYTE_API_KEY": key}).deployment.address == "key.example:443"


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "s3cret!",
        "\udcff",
        *(
            base64.b64encode(text).decode()
            for text in (b"a:b:c", b":me:s3cret:", b"h::s3cret:", b"h:me::", b"\xff")
        ),
    ],
)
@pytest.mark.parametrize("variable", ["FLYTE_API_KEY", "EAGER_API_KEY", "_UNION_EAGER_API_KEY"])
def test_an_invalid_api_key_is_rejected_without_repeating_it(
    variable: str, key: str, load_config: Load
) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config({variable: key})
    assert str(raised.value) == f"{variable} is not an API key"


PROFILES = (
    FULL
    + """\
profiles:
  a:
    admin: {endpoint: a.example, insecure: no}
    task: {project: , domain: a-domain}
  b: {}
  c:
"""
)


def test_a_profile_overrides_single_keys(file: Path, load_config: Load) -> None:
    file.write_text(PROFILES)
    deployment = load_config({"FLYTE_PROFILE": "a"}).deployment
    assert (deployment.endpoint, deployment.insecure) == ("a.example", False)
    assert (deployment.project, deployment.domain) == ("file-project", "a-domain")
    for profile in ("b", "c", ""):
        assert load_config({"FLYTE_PROFILE": profile}).deployment.endpoint == "file.example"
    assert load_config({"FLYTE_PROFILE": "a", **ENVIRONMENT}).deployment.endpoint == "env.example"


def test_an_unknown_profile_is_an_error(file: Path, load_config: Load) -> None:
    with pytest.raises(ConfigError, match="FLYTE_PROFILE is 'x', but there is no config file"):
        load_config({"FLYTE_PROFILE": "x"}, endpoint="h.example")
    file.write_text(PROFILES)
    with pytest.raises(ConfigError, match=f"FLYTE_PROFILE is 'x', but {file} has no such profile"):
        load_config({"FLYTE_PROFILE": "x"})


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("admin: {endpoint: h}\n\nconsole: {endpoint: [a]}", 3, "`console.endpoint` must be a"),
        ("admin:\n  endpoint: ftp://h\n", 2, "`admin.endpoint` must be host[:port]"),
        ("admin:\n  endpoint: h/path\n", 2, "`admin.endpoint` must be host[:port]"),
        ("admin:\n  endpoint: s3cret@h\n", 2, "without a path, user or password"),
        ("admin: {endpoint: h,\n insecure: s3cret}", 2, "`admin.insecure` must be true or false"),
        ("admin: {endpoint: h,\n insecure: [true]}", 2, "`admin.insecure` must be true or false"),
        ("admin: {endpoint: h,\n authType: pkce}", 2, "`admin.authType` must be one of Pkce, D"),
        ("admin: {endpoint: h,\n command: 's3cret \" x'}", 2, "`admin.command` must be a list"),
        ("admin: {endpoint: h,\n clientSecretLocation: /no/file}", 2,
         "`admin.clientSecretLocation` cannot be read: No such file or directory: /no/file"),
        ("admin: {endpoint: h,\n clientSecretLocation: /}", 2, "cannot be read"),
        ("admin: {endpoint: h,\n authType: ExternalCommand}", 2, "requires `admin.command`"),
        ('admin: {endpoint: h}\ntask: {project: "s3cret\\ud800"}', 2, "not Unicode"),
        ("admin: {endpoint: h}\ntask: {project: [s3cret]}", 2, "`task.project` must be a text"),
    ],
)  # fmt: skip
def test_an_invalid_value_names_the_file_the_line_and_the_key(
    text: str, line: int, says: str, file: Path, load_config: Load
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_config()
    assert str(raised.value).startswith(f"{file}, line {line}: `")
    assert says in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLYTE_ADMIN_INSECURE", "s3cret"),
        ("FLYTE_ADMIN_ENDPOINT", "h s3cret@"),
        ("FLYTE_AUTH_TYPE", "pkce s3cret"),
        ("FLYTE_AUTH_COMMAND", "'s3cret"),
        ("FLYTE_TASK_PROJECT", "s3cret\udcff"),
    ],
)
def test_an_invalid_variable_is_named_without_its_value(
    variable: str, value: str, load_config: Load
) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config({"FLYTE_ADMIN_ENDPOINT": "h.example", variable: value})
    assert str(raised.value).startswith(f"{variable}: `")
    assert "s3cret" not in str(raised.value)


def test_an_invalid_option_is_not_blamed_on_the_file(file: Path, load_config: Load) -> None:
    file.write_text(FULL)
    with pytest.raises(ValueError, match="endpoint") as raised:
        load_config(endpoint="h/x")
    assert str(file) not in str(raised.value)


@pytest.mark.parametrize("key", ["clientSecretEnvVar: S", "clientSecretLocation: {file}"])
def test_a_secret_must_be_text(key: str, file: Path, load_config: Load, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s3cret\xff")
    secret = key.format(file=tmp_path / "secret")
    file.write_text(f"admin:\n  endpoint: h\n  {secret}\n")
    with pytest.raises(ConfigError) as raised:
        load_config({"S": "s3cret\udcff"})
    assert str(raised.value).startswith(f"{file}, line 3: `admin.{key.partition(':')[0]}`")
    assert "s3cret" not in str(raised.value).replace(str(tmp_path / "secret"), "")


def test_a_secret_in_a_variable_that_is_not_set_is_reported(file: Path, load_config: Load) -> None:
    file.write_text("admin:\n  endpoint: h\n  clientSecretEnvVar: S\n")
    config = load_config({})
    assert config.deployment.credentials.auth_type == "Pkce"
    assert config.skipped == (
        f"{file}, line 3: `admin.clientSecretEnvVar` names S, which is not set",
    )
    assert load_config({"S": "s3cret"}).skipped == ()


def test_blank_variables_are_not_set(file: Path, load_config: Load) -> None:
    file.write_text(FULL)
    blank = dict.fromkeys((variable for key in ALL for variable in key.variables), " ")
    assert load_config(blank) == load_config()


def test_the_endpoint_of_a_task_pod_is_the_last_resort(load_config: Load) -> None:
    key = base64.b64encode(b"key.example:me:s3cret:").decode()
    pod = {"EAGER_API_KEY": key, "_U_EP_OVERRIDE": "pod.example"}
    assert load_config(pod).deployment.endpoint == "key.example"
    deployment = load_config({**pod, "FLYTE_ADMIN_ENDPOINT": "env.example"}).deployment
    assert deployment.endpoint == "env.example"
    assert deployment.credentials.client_id == "me"


def test_an_endpoint_is_required(load_config: Load) -> None:
    for options in ({}, {"endpoint": ""}):
        with pytest.raises(ConfigError, match=r"requires an endpoint.*FLYTE_ADMIN_ENDPOINT"):
            load_config(**options)


def test_plaintext_uses_no_login(file: Path, load_config: Load) -> None:
    file.write_text("admin: {endpoint: h, insecure: true, authType: ExternalCommand}")
    assert load_config().deployment.credentials.command is None


def test_the_proxy_is_that_of_the_environment(file: Path, load_config: Load) -> None:
    file.write_text(FULL)
    config = load_config({"HTTPS_PROXY": "http://u:s3cret@proxy:1"})
    assert config.deployment.proxy == Proxy("proxy", 1, "u", "s3cret", "HTTPS_PROXY")
    assert "s3cret" not in repr(config)


SECRETS = """\
admin:
  endpoint: h.example
  command: [mint, --password, s3cret]
  proxyCommand: mint s3cret
  httpProxyURL: http://user:s3cret@proxy:1
  clientSecretLocation: {secret}
  clientId: me
  scopes: [all, offline]
"""


def test_secrets_are_in_no_repr_and_no_setting(
    file: Path, load_config: Load, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    file.write_text(SECRETS.format(secret=tmp_path / "secret"))
    config = load_config()
    credentials = config.deployment.credentials
    assert credentials.client_secret is not None
    assert credentials.client_secret.reveal() == "s3cret"
    assert "s3cret" not in f"{config!r}{config.settings}"
    shown = {setting.name: (setting.text, setting.source) for setting in config.settings}
    assert shown == {
        "admin.endpoint": ("h.example", f"{file}, line 2"),
        "admin.authType": ("ClientSecret", f"{tmp_path / 'secret'} ({file}, line 6)"),
        "admin.clientId": ("me", f"{file}, line 7"),
        "client secret": ("***", f"{tmp_path / 'secret'} ({file}, line 6)"),
        "admin.proxyCommand": ("mint ***", f"{file}, line 4"),
        "admin.scopes": ("all offline", f"{file}, line 8"),
        "admin.httpProxyURL": ("***", f"{file}, line 5"),
    }


def test_each_setting_has_its_source(file: Path, load_config: Load) -> None:
    file.write_text(FULL + "console: {endpoint: c.example}\n")
    config = load_config({"FLYTE_TASK_PROJECT": "p", "FLYTE_ADMIN_INSECURE": "0"}, domain="d")
    assert {setting.name: (setting.text, setting.source) for setting in config.settings} == {
        "admin.endpoint": ("file.example", f"{file}, line 2"),
        "admin.insecure": ("false", "FLYTE_ADMIN_INSECURE"),
        "admin.insecureSkipVerify": ("true", f"{file}, line 4"),
        "admin.caCertFilePath": ("/file.pem", f"{file}, line 5"),
        "task.org": ("file-org", f"{file}, line 7"),
        "task.project": ("p", "FLYTE_TASK_PROJECT"),
        "domain": ("d", "option domain"),
        "console.endpoint": ("c.example", f"{file}, line 10"),
    }


@given(
    st.dictionaries(
        st.sampled_from([variable for key in ALL for variable in key.variables]),
        st.text(max_size=20).filter(lambda text: "\0" not in text),
    )
)
def test_any_environment_is_accepted_or_rejected_with_the_name_of_a_variable(
    home: Path, environment: dict[str, str]
) -> None:
    message = None
    try:
        load(Overrides(endpoint="h.example"), environment)
    except ConfigError as error:
        message = str(error)
    assert message is None or any(name in message for name in environment)
