"""Each config resolves as documented, and as in Flyte's SDK."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.backends.flyte.config import Config, ConfigError, Overrides, load
from flyte_sidecar.backends.flyte.endpoint import split_endpoint
from tests.backends.flyte.config.cases import CASES, LINKS, Case
from tests.conftest import run
from tests.flyte_sdk import sdk_and_sidecar

READ_WITH_SDK = Path(__file__).with_name("read_with_sdk.py")


def resolved(config: Config) -> dict[str, Any]:
    deployment, credentials = config.deployment, config.deployment.credentials
    host, port = split_endpoint(deployment.endpoint)
    return {
        "endpoint": f"{host}:{port}" if port else host,
        "insecure": deployment.insecure,
        "insecure_skip_verify": deployment.insecure_skip_verify,
        "ca_cert_file": deployment.ca_cert_file,
        "auth_type": credentials.auth_type,
        "command": credentials.command and list(credentials.command.reveal()),
        "proxy_command": credentials.proxy_command and list(credentials.proxy_command.reveal()),
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret and credentials.client_secret.reveal(),
        "scopes": list(credentials.scopes),
        "http_proxy": credentials.http_proxy and credentials.http_proxy.reveal(),
        "disable_keyring": credentials.disable_keyring,
        "org": deployment.default_org,
        "project": deployment.project,
        "domain": deployment.domain,
        "console": deployment.console,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_config_resolves_as_documented(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "case"
    environment = case.lay_out(folder, os.environ)
    monkeypatch.setenv("HOME", environment["HOME"])
    monkeypatch.chdir(folder / case.cwd)
    options, expected = Overrides(endpoint=case.endpoint), case.expected(folder)
    error = "requires an endpoint" if expected["endpoint"] is None else None
    if error := case.error or error:
        with pytest.raises(ConfigError) as raised:
            load(options, environment)
        assert error.replace("$CASE", str(folder)) in str(raised.value)
    else:
        assert resolved(load(options, environment)) == expected


@pytest.mark.versions
@pytest.mark.timeout(600)
def test_the_sdk_resolves_every_config_as_the_cases_say(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = sdk_and_sidecar("flyte", tmp_path_factory)
    requests, expected = [], []
    for number, case in enumerate(CASES):
        folder = tmp_path / f"case{number}"
        environment = case.lay_out(folder, os.environ)
        cwd = str(folder / case.cwd)
        entry = {"entry": case.entry, "endpoint": case.endpoint}
        requests.append({"env": environment, "folder": cwd, **entry})
        expected.append(case.expected_of_sdk(folder))
    request = json.dumps({"cases": requests, "links": LINKS})
    done = run(python, READ_WITH_SDK, env=dict(os.environ), input=request)
    assert done.returncode == 0, done.stderr
    actual = json.loads(done.stdout.splitlines()[-1])
    named = zip((case.name for case in CASES), actual["cases"], expected, strict=True)
    differences = {
        name: {key: found[key] for key in found if found[key] != wanted[key]}
        if isinstance(found, dict) and isinstance(wanted, dict)
        else found
        for name, found, wanted in named
        if found != wanted and not (wanted == "error" and str(found).startswith("error"))
    }
    assert differences == {}
    page = "v2/domain/d/project/p/runs/r1?i=a%2F1"
    assert actual["links"] == [f"{console}/{page}" for *_, console in LINKS]
