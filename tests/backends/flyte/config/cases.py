"""Configs found in practice, and what they must resolve to, here and in Flyte's SDK."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

VARIABLES = ("FLYTE_", "UCTL_", "FLYTECTL_", "_U_", "_UNION_", "EAGER_")
"""Prefixes of the variables that configure Flyte."""

DEFAULTS: dict[str, Any] = {
    "endpoint": None,
    "insecure": False,
    "insecure_skip_verify": False,
    "ca_cert_file": None,
    "auth_type": "Pkce",
    "command": None,
    "proxy_command": None,
    "client_id": None,
    "client_secret": None,
    "scopes": [],
    "http_proxy": None,
    "disable_keyring": False,
    "org": None,
    "project": None,
    "domain": None,
    "console": None,
}
"""What an empty config resolves to."""


class Case(Struct, frozen=True, kw_only=True):
    """A machine, and what is configured on it.

    Attributes
    ----------
    files
        The files by path, relative to the folder of the case. `home/` is the user's.
    env
        Environment variables; `$CASE` in their values is the folder of the case.
    cwd
        The current folder.
    endpoint
        The option with this name; the SDK has it only in its command, `cli`.
    entry
        What of the SDK reads the config.
    expect
        The values that are not those of `DEFAULTS`.
    error
        A part of the error, if the config is rejected.
    sdk
        Those of them that the SDK reads in another way; "error" if it fails.
    """

    name: str
    expect: dict[str, Any] = {}
    error: str | None = None
    files: dict[str, str] = {}
    env: dict[str, str] = {}
    cwd: str = "clone"
    endpoint: str | None = None
    entry: Literal["init_from_config", "init_in_cluster", "init_from_api_key", "cli"] = (
        "init_from_config"
    )
    sdk: dict[str, Any] | Literal["error"] = {}

    def lay_out(self, folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
        """Write the files into a folder, and return the environment."""
        (folder / "home").mkdir(parents=True)
        (folder / "clone").mkdir()
        for path, text in self.files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text.replace("$CASE", str(folder)))
        kept = {k: v for k, v in environment.items() if not k.startswith(VARIABLES)}
        own = {name: value.replace("$CASE", str(folder)) for name, value in self.env.items()}
        return {**kept, "HOME": str(folder / "home"), **own}

    def expected(self, folder: Path) -> dict[str, Any]:
        return _filled(folder, {**DEFAULTS, **self.expect})

    def expected_of_sdk(self, folder: Path) -> dict[str, Any] | Literal["error"]:
        if self.sdk == "error":
            return "error"
        return _filled(folder, {**DEFAULTS, **self.expect, **self.sdk})


def _filled(folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.replace("$CASE", str(folder)) if isinstance(value, str) else value
        for name, value in values.items()
    }


HOME = "home/.flyte/config.yaml"
GIT = {
    "clone/.git/HEAD": "ref: refs/heads/main\n",
    "clone/.git/objects/x": "",
    "clone/.git/refs/x": "",
}


def admin(endpoint: str, more: str = "") -> str:
    return f"admin:\n  endpoint: {endpoint}\n{more}"


def api_key(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def file_case(
    name: str, text: str, *, sdk: Any = None, error: str | None = None, **expect: Any
) -> Case:
    """Return a case with one file in the home folder."""
    sdk = {} if sdk is None else sdk
    return Case(name=name, files={HOME: text}, expect=expect, error=error, sdk=sdk)


def env_case(name: str, env: dict[str, str], *, sdk: Any = None, **expect: Any) -> Case:
    """Return a case with variables and a file with an endpoint."""
    expect = {"endpoint": "file.example", **expect}
    files = {HOME: admin("file.example")}
    return Case(name=name, files=files, env=env, expect=expect, sdk={} if sdk is None else sdk)


def written_endpoint(written: str, endpoint: str, org: str | None = None) -> Case:
    return file_case(f"endpoint {written}", admin(written), endpoint=endpoint, org=org)


PROFILES = (
    admin("h.example", "  insecureSkipVerify: true\n")
    + "task:\n  project: p\n  domain: development\n"
    "profiles:\n  staging:\n    admin:\n      endpoint: staging.example\n      insecure: true\n"
    "    task:\n      domain: staging\n  bare: {}\n"
)
OF_PROFILES = {
    "endpoint": "h.example",
    "insecure": False,
    "insecure_skip_verify": True,
    "project": "p",
    "domain": "development",
}
"""The values at the top of it."""

UNREAD = {"endpoint": None, "org": None}
"""What the SDK reads if it does not read the file."""

CASES = [
    # Endpoints.
    written_endpoint("dns:///acme.hosted.example.com", "acme.hosted.example.com", "acme"),
    written_endpoint("dns:///flyte.example:443", "flyte.example:443"),
    written_endpoint("dns:///localhost:8090", "localhost:8090"),
    written_endpoint("dns:///localhost:8089", "localhost:8089"),
    written_endpoint("dns:///localhost:30080", "localhost:30080"),
    written_endpoint("dns:///localhost:30081", "localhost:30081"),
    written_endpoint("localhost:30080", "localhost:30080"),
    written_endpoint("https://acme.hosted.example.com", "acme.hosted.example.com", "acme"),
    written_endpoint("http://flyte.example/", "flyte.example"),
    written_endpoint("'dns:///flyte.example'", "flyte.example"),
    written_endpoint('"dns:///flyte.example:443"', "flyte.example:443"),
    written_endpoint("http://localhost:30080", "localhost:30080"),
    written_endpoint("flyte.example/", "flyte.example"),
    file_case(
        "an endpoint with a path",
        admin("flyte.example/api"),
        error="`admin.endpoint` must be host[:port]",
        sdk={"endpoint": "flyte.example/api"},
    ),
    file_case(
        "an endpoint in capitals",
        admin("dns:///Flyte.Example"),
        endpoint="flyte.example",
        sdk={"endpoint": "Flyte.Example"},
    ),
    file_case(
        "endpoint with the scheme twice",
        admin("dns:///dns:///flyte.example"),
        endpoint="flyte.example",
        sdk={"endpoint": "dns:///flyte.example"},
    ),
    file_case(
        "an IP address has no org",
        admin("10.0.0.7:80"),
        endpoint="10.0.0.7:80",
        sdk={"org": "10"},
    ),
    file_case(
        "the host of a Union config",
        "union:\n  connection:\n    host: dns:///acme.hosted.example.com\n",
        endpoint="acme.hosted.example.com",
        org="acme",
        sdk=UNREAD,
    ),
    # Files in practice.
    file_case(
        "the devbox",
        "admin:\n  endpoint: dns:///localhost:30080\n  insecure: true\nimage:\n  builder: local\n"
        "task:\n  domain: development\n  project: flytesnacks\n",
        endpoint="localhost:30080",
        insecure=True,
        project="flytesnacks",
        domain="development",
    ),
    file_case(
        "comments and no final newline",
        "# mine\nadmin: # here\n  # the endpoint\n  endpoint: dns:///h.example # note\n"
        "  authType: Pkce\n  insecure: True",
        endpoint="h.example",
        insecure=True,
    ),
    file_case(
        "keys of other programs",
        admin("h.example")
        + "logger:\n  level: 6\nstorage: [1, {a: b}]\nimages: {a: b}\nlocal:\n  tracked: on\n",
        endpoint="h.example",
    ),
    file_case("Windows line ends", admin("h.example").replace("\n", "\r\n"), endpoint="h.example"),
    file_case(
        "JSON",
        '{"admin": {"endpoint": "h.example", "insecure": true}}',
        endpoint="h.example",
        insecure=True,
    ),
    file_case("empty", ""),
    *(
        file_case(
            f"insecure: {word}",
            admin("h.example", f"  insecure: {word}\n"),
            endpoint="h.example",
            insecure=value,
        )
        for word, value in {
            **dict.fromkeys(("true", "True", "yes", "on", "1"), True),
            **dict.fromkeys(("false", "False", "no", "off", "0", "null", ""), False),
        }.items()
    ),
    file_case(
        "a quoted boolean",
        admin("h.example", "  insecure: 'false'\n"),
        endpoint="h.example",
        sdk={"insecure": True},
    ),
    file_case(
        "equal keys: the last counts",
        "admin:\n  endpoint: a.example\n  endpoint: b.example\n",
        endpoint="b.example",
    ),
    file_case(
        "equal sections: the last counts",
        admin("a.example", "  insecure: true\n") + admin("b.example"),
        endpoint="b.example",
    ),
    file_case(
        "anchors and merges",
        "base: &base {insecure: true}\nmore: &more {endpoint: c.example}\n"
        "admin: {<<: [*more, *base], caCertFilePath: /ca.pem}\ntask: {project: &p x, domain: *p}\n",
        endpoint="c.example",
        insecure=True,
        ca_cert_file="/ca.pem",
        project="x",
        domain="x",
    ),
    file_case(
        "own keys precede merged ones",
        "b: &b {endpoint: a.example}\nadmin:\n  endpoint: c.example\n  <<: *b\n",
        endpoint="c.example",
    ),
    file_case(
        "tags of other programs",
        admin("h.example") + "secret: !vault abc\n",
        endpoint="h.example",
        sdk=UNREAD,
    ),
    file_case(
        "numbers and words as names",
        admin("h.example") + "task:\n  org: 0123\n  project: 1e3\n  domain: no\n",
        endpoint="h.example",
        org="0123",
        project="1e3",
        domain="no",
        sdk={"org": 83, "domain": False},
    ),
    file_case(
        "TLS",
        admin("h.example", "  insecureSkipVerify: true\n  caCertFilePath: /ca.pem\n"),
        endpoint="h.example",
        insecure_skip_verify=True,
        ca_cert_file="/ca.pem",
        sdk={"insecure_skip_verify": False},  # it sends no value that has no effect
    ),
    file_case(
        "a certificate that is not verified",
        admin("h.example", "  insecureSkipVerify: True\n"),
        endpoint="h.example",
        insecure_skip_verify=True,
    ),
    file_case(
        "a CA file in the home folder",
        admin("h.example", "  caCertFilePath: ~/ca.pem\n"),
        endpoint="h.example",
        ca_cert_file="$CASE/home/ca.pem",
        sdk={"ca_cert_file": "~/ca.pem"},
    ),
    # The console. What the SDK reads, it does not use.
    *(
        file_case(
            f"console {written}",
            admin("h.example") + f"console:\n  endpoint: {written}\n",
            endpoint="h.example",
            console=written,
        )
        for written in ("dns:///c.example", "c.example:8080", "https://c.example/ui/v2")
    ),
    file_case(
        "a console that is no address",
        admin("h.example") + "console:\n  endpoint: javascript:x\n",
        error="`console.endpoint` must be host[:port] or an HTTP URL",
        sdk={"endpoint": "h.example", "console": "javascript:x"},
    ),
    # Authentication.
    *(
        file_case(
            f"authType {kind}",
            admin("h.example", f"  authType: {written}\n"),
            endpoint="h.example",
            auth_type=kind,
        )
        for kind in ("Pkce", "DeviceFlow", "ClientSecret", "Passthrough")
        for written in (kind, f'"{kind}"')
    ),
    *(
        file_case(
            f"authType {kind}",
            admin("h.example", f"  authType: {kind}\n"),
            error="`admin.authType` must be one of Pkce, DeviceFlow, ClientSecret, Ex",
            sdk={"endpoint": "h.example", "auth_type": kind},  # creating the client fails
        )
        for kind in ("pkce", "device-flow", "ClientCredentials")
    ),
    file_case(
        "a command is required",
        admin("h.example", "  authType: ExternalCommand\n"),
        error="ExternalCommand requires `admin.command`",
        sdk={"endpoint": "h.example", "auth_type": "ExternalCommand"},
    ),
    *(
        file_case(
            f"scopes {written}",
            admin("h.example", f"  scopes: {written}\n"),
            endpoint="h.example",
            scopes=scopes,
        )
        for written, scopes in {
            "all": ["all"],
            "all offline": ["all", "offline"],
            "all,offline": ["all", "offline"],
            '\'["all", "offline"]\'': ["all", "offline"],
            "[]": [],
        }.items()
    ),
    file_case(
        "a command as a list",
        admin(
            "h.example",
            "  authType: ExternalCommand\n  command: [gcloud, auth, print-identity-token]\n",
        ),
        endpoint="h.example",
        auth_type="ExternalCommand",
        command=["gcloud", "auth", "print-identity-token"],
    ),
    file_case(
        "a command for a shell",
        admin(
            "h.example",
            "  authType: ExternalCommand\n  command: ['sh', '-c', 'echo \"$T\"']\n"
            "  proxyCommand: get-token --for 'a b'\n",
        ),
        endpoint="h.example",
        auth_type="ExternalCommand",
        command=["sh", "-c", 'echo "$T"'],
        proxy_command=["get-token", "--for", "a b"],
    ),
    file_case(
        "scopes and the rest",
        admin(
            "h.example",
            "  scopes: [all, offline]\n  httpProxyURL: http://u:p@proxy:1\n"
            "  disableKeyring: true\n  clientId: me\n",
        ),
        endpoint="h.example",
        scopes=["all", "offline"],
        http_proxy="http://u:p@proxy:1",
        disable_keyring=True,
        client_id="me",
    ),
    Case(
        name="a secret in a file",
        files={
            HOME: admin(
                "h.example",
                "  authType: Pkce\n  clientId: me\n  clientSecretLocation: $CASE/secret\n",
            ),
            "secret": "s3cret\n",
        },
        expect={
            "endpoint": "h.example",
            "auth_type": "ClientSecret",
            "client_id": "me",
            "client_secret": "s3cret",
        },
    ),
    Case(
        name="only the final newline of a secret is removed",
        files={
            HOME: admin("h.example", "  clientSecretLocation: $CASE/secret\n"),
            "secret": " s3 cret \n",
        },
        expect={"endpoint": "h.example", "auth_type": "ClientSecret", "client_secret": " s3 cret "},
        sdk={"client_secret": "s3 cret"},
    ),
    Case(
        name="a secret with a Windows line end",
        files={
            HOME: admin("h.example", "  clientSecretLocation: $CASE/secret\n"),
            "secret": "s3cret\r\n",
        },
        expect={"endpoint": "h.example", "auth_type": "ClientSecret", "client_secret": "s3cret"},
    ),
    Case(
        name="the variable of a secret precedes its file",
        files={
            HOME: admin(
                "h.example",
                "  clientSecretLocation: $CASE/secret\n  clientSecretEnvVar: MY_SECRET\n",
            ),
            "secret": "of the file\n",
        },
        env={"MY_SECRET": "of the variable"},
        expect={
            "endpoint": "h.example",
            "auth_type": "ClientSecret",
            "client_secret": "of the variable",
        },
    ),
    Case(
        name="a file of a secret that is not needed may be missing",
        files={
            HOME: admin(
                "h.example", "  clientSecretLocation: /no/file\n  clientSecretEnvVar: MY_SECRET\n"
            ),
        },
        env={"MY_SECRET": "s3cret"},
        expect={"endpoint": "h.example", "auth_type": "ClientSecret", "client_secret": "s3cret"},
        sdk="error",
    ),
    file_case(
        "a missing file of a secret",
        admin("h.example", "  clientSecretLocation: /no/file\n"),
        error="`admin.clientSecretLocation` cannot be read",
        sdk="error",
    ),
    Case(
        name="a variable without a secret",
        files={HOME: admin("h.example", "  clientSecretEnvVar: MY_SECRET\n")},
        expect={"endpoint": "h.example"},
    ),
    # The environment.
    env_case(
        "FLYTE_ADMIN_ENDPOINT",
        {"FLYTE_ADMIN_ENDPOINT": "dns:///env.example"},
        endpoint="env.example",
    ),
    env_case("FLYTE_ADMIN_ENDPOINT empty", {"FLYTE_ADMIN_ENDPOINT": ""}, sdk={"endpoint": None}),
    env_case("insecure", {"FLYTE_ADMIN_INSECURE": "true"}, insecure=True),
    env_case("not insecure", {"FLYTE_ADMIN_INSECURE": "false"}, sdk={"insecure": True}),
    env_case(
        "not to be verified", {"FLYTE_ADMIN_INSECURESKIPVERIFY": "1"}, insecure_skip_verify=True
    ),
    env_case("a CA file", {"FLYTE_ADMIN_CACERTFILEPATH": "/ca.pem"}, ca_cert_file="/ca.pem"),
    env_case("an auth type", {"FLYTE_ADMIN_AUTHTYPE": "DeviceFlow"}, auth_type="DeviceFlow"),
    env_case(
        "the better name of an auth type",
        {"FLYTE_ADMIN_AUTHTYPE": "Pkce", "FLYTE_AUTH_TYPE": "DeviceFlow"},
        auth_type="DeviceFlow",
    ),
    *(
        env_case(f"FLYTE_AUTH_TYPE={kind}", {"FLYTE_AUTH_TYPE": kind}, auth_type=kind)
        for kind in ("Pkce", "DeviceFlow", "ClientSecret", "Passthrough")
    ),
    env_case(
        "a client",
        {
            "FLYTE_ADMIN_CLIENTID": "me",
            "FLYTE_ADMIN_CLIENTSECRETENVVAR": "MY_SECRET",
            "MY_SECRET": "s3cret",
        },
        auth_type="ClientSecret",
        client_id="me",
        client_secret="s3cret",
    ),
    env_case(
        "further options of logins",
        {"FLYTE_ADMIN_HTTPPROXYURL": "http://proxy:1", "FLYTE_ADMIN_DISABLEKEYRING": "true"},
        http_proxy="http://proxy:1",
        disable_keyring=True,
    ),
    env_case("a console", {"FLYTE_CONSOLE_ENDPOINT": "c.example"}, console="c.example"),
    env_case(
        "a command line",
        {"FLYTE_AUTH_TYPE": "ExternalCommand", "FLYTE_AUTH_COMMAND": "mint --for 'a b'"},
        auth_type="ExternalCommand",
        command=["mint", "--for", "a b"],
    ),
    env_case(
        "a command as JSON",
        {"FLYTE_AUTH_TYPE": "ExternalCommand", "FLYTE_ADMIN_COMMAND": '["mint", "a b"]'},
        auth_type="ExternalCommand",
        command=["mint", "a b"],
    ),
    env_case("a proxy command", {"FLYTE_AUTH_PROXY_COMMAND": "mint"}, proxy_command=["mint"]),
    env_case("scopes", {"FLYTE_ADMIN_SCOPES": "all, offline x"}, scopes=["all", "offline", "x"]),
    env_case("scopes as JSON", {"FLYTE_ADMIN_SCOPES": '["all"]'}, scopes=["all"]),
    env_case(
        "the scope",
        {"FLYTE_TASK_ORG": "o", "FLYTE_TASK_PROJECT": "p", "FLYTE_TASK_DOMAIN": "d"},
        org="o",
        project="p",
        domain="d",
    ),
    Case(
        name="the environment without a file",
        env={
            "FLYTE_ADMIN_ENDPOINT": "h.example",
            "FLYTE_ADMIN_INSECURE": "1",
            "FLYTE_TASK_PROJECT": "p",
        },
        expect={"endpoint": "h.example", "insecure": True, "project": "p"},
        sdk=DEFAULTS,
    ),
    # Profiles, which the SDK ignores.
    *(
        Case(
            name=f"the profile {profile}",
            files={HOME: PROFILES},
            env={"FLYTE_PROFILE": profile, **env},
            expect={**OF_PROFILES, **expect},
            sdk=OF_PROFILES,
        )
        for profile, env, expect in (
            ("staging", {}, {"endpoint": "staging.example", "insecure": True, "domain": "staging"}),
            ("bare", {}, {}),
        )
    ),
    Case(
        name="variables precede a profile",
        files={HOME: PROFILES},
        env={"FLYTE_PROFILE": "staging", "FLYTE_ADMIN_ENDPOINT": "env.example"},
        expect={**OF_PROFILES, "endpoint": "env.example", "insecure": True, "domain": "staging"},
        sdk={**OF_PROFILES, "endpoint": "env.example"},
    ),
    Case(
        name="an unknown profile",
        files={HOME: PROFILES},
        env={"FLYTE_PROFILE": "prod"},
        error="FLYTE_PROFILE is 'prod', but $CASE/home/.flyte/config.yaml has no such profile",
        sdk=OF_PROFILES,
    ),
    # Where files are found.
    Case(
        name="./config.yaml precedes all",
        files={
            "clone/config.yaml": admin("a.example"),
            "clone/.flyte/config.yaml": admin("b.example"),
            HOME: admin("c.example"),
        },
        expect={"endpoint": "a.example"},
    ),
    Case(
        name="./config.yaml of another program",
        files={"clone/config.yaml": "admin:\n  user: x\n", HOME: admin("c.example")},
        expect={"endpoint": "c.example"},
        sdk={"endpoint": None},
    ),
    Case(
        name="./config.yaml that is no YAML",
        files={"clone/config.yaml": "a: b: c\n", HOME: admin("c.example")},
        expect={"endpoint": "c.example"},
        sdk={"endpoint": None},
    ),
    Case(
        name="./.flyte/config.yaml precedes the variables",
        files={"clone/.flyte/config.yaml": admin("b.example"), "u.yaml": admin("u.example")},
        env={"UCTL_CONFIG": "$CASE/u.yaml"},
        expect={"endpoint": "b.example"},
    ),
    Case(
        name="the root of the repository",
        files={
            **GIT,
            "clone/.flyte/config.yaml": admin("root.example"),
            "u.yaml": admin("u.example"),
            "clone/a/b/x": "",
        },
        env={"UCTL_CONFIG": "$CASE/u.yaml"},
        cwd="clone/a/b",
        expect={"endpoint": "root.example"},
    ),
    Case(
        name="UCTL_CONFIG precedes FLYTECTL_CONFIG",
        files={
            "u.yaml": admin("u.example"),
            "f.yaml": admin("f.example"),
            HOME: admin("c.example"),
        },
        env={"UCTL_CONFIG": "$CASE/u.yaml", "FLYTECTL_CONFIG": "$CASE/f.yaml"},
        expect={"endpoint": "u.example"},
    ),
    Case(
        name="FLYTECTL_CONFIG",
        files={"f.yaml": admin("f.example"), HOME: admin("c.example")},
        env={"UCTL_CONFIG": "", "FLYTECTL_CONFIG": "$CASE/f.yaml"},
        expect={"endpoint": "f.example"},
    ),
    Case(
        name="a file that a variable names is missing",
        files={HOME: admin("c.example")},
        env={"UCTL_CONFIG": "$CASE/u.yaml"},
        error="UCTL_CONFIG: $CASE/u.yaml: cannot be read",
        sdk="error",
    ),
    Case(
        name="~/.union precedes ~/.flyte",
        files={"home/.union/config.yaml": admin("union.example"), HOME: admin("c.example")},
        expect={"endpoint": "union.example"},
    ),
    # API keys.
    Case(
        name="an API key",
        env={"FLYTE_API_KEY": api_key("h.example:me:s3cret:acme")},
        entry="init_from_api_key",
        expect={
            "endpoint": "h.example",
            "auth_type": "ClientSecret",
            "client_id": "me",
            "client_secret": "s3cret",
            "org": "acme",
        },
    ),
    *(
        Case(
            name=f"an API key with the org {org!r}",
            env={"FLYTE_API_KEY": api_key(f"acme.h.example:me:s3cret:{org}")},
            entry="init_from_api_key",
            expect={
                "endpoint": "acme.h.example",
                "auth_type": "ClientSecret",
                "client_id": "me",
                "client_secret": "s3cret",
                "org": "acme",
            },
        )
        for org in ("", "None")
    ),
    Case(
        name="an API key precedes the file",
        files={HOME: admin("c.example", "  authType: Pkce\n")},
        env={"FLYTE_API_KEY": api_key("h.example:me:s3cret:")},
        entry="init_from_api_key",
        expect={
            "endpoint": "h.example",
            "auth_type": "ClientSecret",
            "client_id": "me",
            "client_secret": "s3cret",
        },
    ),
    Case(
        name="an API key without an org, and a file with one",
        files={HOME: admin("c.example") + "task:\n  org: of-the-file\n  project: p\n"},
        env={"FLYTE_API_KEY": api_key("acme.h.example:me:s3cret:None")},
        entry="cli",
        expect={
            "endpoint": "acme.h.example",
            "auth_type": "ClientSecret",
            "client_id": "me",
            "client_secret": "s3cret",
            "org": "of-the-file",
            "project": "p",
        },
    ),
    Case(
        name="an API key whose endpoint has a scheme",
        env={"FLYTE_API_KEY": api_key("dns:///h.example:me:s3cret:acme")},
        entry="init_from_api_key",
        expect={
            "endpoint": "h.example",
            "auth_type": "ClientSecret",
            "client_id": "me",
            "client_secret": "s3cret",
            "org": "acme",
        },
        # It splits at the colon of the scheme.
        sdk={
            "endpoint": "dns",
            "client_id": "///h.example",
            "client_secret": "me",
            "org": "s3cret:acme",
        },
    ),
    Case(
        name="text that is no API key",
        env={"FLYTE_API_KEY": "acme"},
        entry="init_from_api_key",
        error="FLYTE_API_KEY is not an API key",
        sdk="error",
    ),
    # An endpoint as an option.
    Case(
        name="the option precedes the file",
        files={HOME: admin("c.example", "  authType: DeviceFlow\n")},
        endpoint="https://o.example/",
        entry="cli",
        expect={"endpoint": "o.example", "auth_type": "DeviceFlow"},
    ),
    Case(
        name="the option precedes the endpoint of an API key",
        env={"FLYTE_API_KEY": api_key("h.example:me:s3cret:")},
        endpoint="o.example",
        entry="cli",
        expect={
            "endpoint": "o.example",
            "auth_type": "ClientSecret",
            "client_id": "me",
            "client_secret": "s3cret",
        },
    ),
    Case(
        name="credentials of a file for another host",
        files={HOME: admin("c.example", "  authType: ExternalCommand\n  command: [mint]\n")},
        endpoint="o.example",
        entry="cli",
        error="`admin.command` is for c.example, and not used for o.example (option endpoint)",
        sdk={"endpoint": "o.example", "auth_type": "ExternalCommand", "command": ["mint"]},
    ),
    # Files of a repository that somebody has cloned.
    Case(
        name="a command in a file that was only found",
        files={
            "clone/.flyte/config.yaml": admin(
                "h.example", "  authType: ExternalCommand\n  command: [mint]\n"
            )
        },
        error="line 4: `admin.command` is not accepted in a file that was only found",
        sdk={"endpoint": "h.example", "auth_type": "ExternalCommand", "command": ["mint"]},
    ),
    Case(
        name="a command in a file that was found and is named too",
        files={
            "clone/.flyte/config.yaml": admin(
                "h.example", "  authType: ExternalCommand\n  command: [mint]\n"
            )
        },
        env={"UCTL_CONFIG": "$CASE/clone/.flyte/config.yaml"},
        expect={"endpoint": "h.example", "auth_type": "ExternalCommand", "command": ["mint"]},
    ),
    Case(
        name="a command of the environment for a file that was only found",
        files={"clone/.flyte/config.yaml": admin("h.example")},
        env={"FLYTE_AUTH_TYPE": "ExternalCommand", "FLYTE_AUTH_COMMAND": "mint"},
        error="FLYTE_AUTH_COMMAND: `admin.command` is not sent to h.example",
        sdk={"endpoint": "h.example", "auth_type": "ExternalCommand", "command": ["mint"]},
    ),
    Case(
        name="what flyte create config writes",
        files={
            "clone/.flyte/config.yaml": admin(
                "dns:///acme.h.example", "  authType: DeviceFlow\n  insecure: true\n"
            )
            + "image:\n  builder: local\nlocal:\n  persistence: true\n"
            "task:\n  domain: d\n  org: acme\n  project: p\n"
        },
        expect={
            "endpoint": "acme.h.example",
            "auth_type": "DeviceFlow",
            "insecure": True,
            "org": "acme",
            "project": "p",
            "domain": "d",
        },
    ),
    # The pods of tasks.
    Case(
        name="a pod with a key",
        env={
            "EAGER_API_KEY": api_key("h.example:me:s3cret:acme"),
            "_U_ORG_NAME": "acme",
            "FLYTE_INTERNAL_EXECUTION_PROJECT": "p",
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": "d",
        },
        entry="init_in_cluster",
        expect={
            "endpoint": "h.example",
            "auth_type": "ClientSecret",
            "client_id": "me",
            "client_secret": "s3cret",
            "org": "acme",
            "project": "p",
            "domain": "d",
        },
    ),
    Case(
        name="a pod with an endpoint",
        env={
            "_U_EP_OVERRIDE": "flyte.svc:8090",
            "_U_INSECURE": "true",
            "FLYTE_INTERNAL_EXECUTION_PROJECT": "p",
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": "d",
        },
        entry="init_in_cluster",
        expect={"endpoint": "flyte.svc:8090", "insecure": True, "project": "p", "domain": "d"},
    ),
    Case(
        name="a pod of a development cluster",
        env={"_U_EP_OVERRIDE": "host.docker.internal:8090"},
        entry="init_in_cluster",
        expect={"endpoint": "host.docker.internal:8090", "insecure": True, "org": "host"},
    ),
    Case(
        name="a pod whose certificate is not verified",
        env={"_U_EP_OVERRIDE": "flyte.svc", "_U_INSECURE_SKIP_VERIFY": "true"},
        entry="init_in_cluster",
        expect={"endpoint": "flyte.svc", "insecure_skip_verify": True},
    ),
    Case(
        name="a pod with a command",
        env={
            "_U_EP_OVERRIDE": "flyte.svc",
            "FLYTE_AUTH_TYPE": "ExternalCommand",
            "FLYTE_AUTH_COMMAND": "mint",
            "EAGER_API_KEY": api_key("x.example:me:s3cret:"),
        },
        entry="init_in_cluster",
        expect={"endpoint": "flyte.svc", "auth_type": "ExternalCommand", "command": ["mint"]},
    ),
    Case(
        name="a pod with a mounted file",
        files={"f.yaml": admin("f.example") + "task:\n  project: q\n"},
        env={
            "FLYTECTL_CONFIG": "$CASE/f.yaml",
            "_U_EP_OVERRIDE": "flyte.svc",
            "EAGER_API_KEY": api_key("x.example:me:s3cret:"),
            "FLYTE_INTERNAL_EXECUTION_PROJECT": "p",
            "FLYTE_INTERNAL_EXECUTION_DOMAIN": "d",
        },
        entry="init_in_cluster",
        expect={"endpoint": "f.example", "project": "p", "domain": "d"},
    ),
]

LINKS = [
    ("dns:///acme.example.com", False, "https://acme.example.com"),
    ("acme.example.com:443", False, "https://acme.example.com:443"),
    ("https://acme.example.com:8443/", True, "http://acme.example.com:8443"),
    ("acme.example.com", True, "http://acme.example.com"),
    ("localhost:8090", True, "http://localhost:8080"),
    ("dns:///localhost:8090", False, "https://localhost:8080"),
    ("localhost:30080", True, "http://localhost:30080"),
    ("localhost", True, "http://localhost"),
    ("127.0.0.1:8090", True, "http://127.0.0.1:8090"),
    ("[::1]:8090", True, "http://[::1]:8090"),
    ("[::1]", True, "http://[::1]"),
]
"""Endpoints, whether they are insecure, and the console of each, here and in the SDK."""
