from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.cli.verbs import cells_of
from tests.fake_runservice.server import Server
from tests.flyte_commands.conftest import SCOPE, Flyte

HEADERS = ["RUN", "NAME", "TYPE", "AGE", "EXPIRES", "PROMPT"]


def table(output: str) -> list[dict[str, str]]:
    headers, *rows = map(cells_of, output.splitlines())
    assert headers in (HEADERS, ["PROJECT", *HEADERS])
    return [dict(zip(headers, row, strict=False)) for row in rows]


def names(output: str) -> list[str]:
    return [row["NAME"] for row in table(output)]


def test_events_of_local_runs_and_of_the_deployment_are_listed(
    flyte: Flyte, local: Any, configured: Server
) -> None:
    configured.model.ask("r9", "remote", prompt="Deploy?", **SCOPE)
    local.create("first", "r1", prompt="Deploy\x1b[2J?")
    local.create("second", "r1", expected_type=int)
    done = flyte("pending")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = [(row["PROJECT"], row["RUN"], row["NAME"]) for row in table(done.stdout)]
    assert sorted(rows) == [
        ("local", "r1", "first"),
        ("local", "r1", "second"),
        ("p", "r9", "remote"),
    ]
    assert "\x1b" not in done.stdout
    done = flyte("pending", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["name"]: event["project"] for event in events} == {
        "first": "local",
        "second": "local",
        "remote": "p",
    }


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-p", "local", "-d", "local"], ["here"]),
        (["-p", "local"], ["here"]),
        (["-d", "local"], ["here"]),
        (["-p", "p", "-d", "d"], ["there"]),
        (["--project", "other", "--domain", "other"], ["elsewhere"]),
        (["--domain", "other"], ["in the project"]),
    ],
)
def test_a_project_and_domain_select_one_backend(
    flyte: Flyte, local: Any, configured: Server, options: list[str], expected: list[str]
) -> None:
    configured.model.ask("r9", "there", **SCOPE)
    configured.model.ask("r9", "elsewhere", project="other", domain="other")
    configured.model.ask("r9", "in the project", project="p", domain="other")
    local.create("here", "r1")
    assert names(flyte("pending", *options).stdout) == expected
    if options[1] == "local":
        assert not configured.calls


def test_the_deployment_is_the_one_that_the_cli_uses(
    flyte: Flyte, deployment: Server, tmp_path: Path
) -> None:
    deployment.model.ask("r9", "remote", org="o", **SCOPE)
    config = tmp_path / "other.yaml"
    config.write_text("task: {project: p, domain: d, org: x}\n")
    endpoint = ("--endpoint", deployment.endpoint, "--insecure")
    options = ("--config", str(config), *endpoint, "--org", "o")
    assert names(flyte(*options, "pending").stdout) == ["remote"]
    method, request, _ = deployment.requests[0]
    assert (method, request.project_id.organization) == ("ListRuns", "o")


def test_the_kind_of_login_is_the_one_that_the_cli_uses(
    flyte: Flyte, configured: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_AUTH_TYPE", "Pkce")
    sdk: Any = ModuleType("flyte.cli._common")
    sdk.sanitize_auth_type = {"headless": "DeviceFlow"}.__getitem__
    monkeypatch.setitem(sys.modules, sdk.__name__, sdk)
    assert flyte("--auth-type", "headless", "pending").exit_code == 0
    assert os.environ["FLYTE_AUTH_TYPE"] == "DeviceFlow"


def test_without_a_deployment_only_the_store_is_listed(flyte: Flyte, local: Any) -> None:
    done = flyte("pending")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "No pending events.\n")
    local.create("here", "r1")
    done = flyte("pending")
    assert (done.exit_code, done.stderr, names(done.stdout)) == (0, "", ["here"])
    done = flyte("pending", "-p", "p")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "requires an endpoint" in done.stderr


def test_an_unavailable_deployment_does_not_hide_local_events(
    flyte: Flyte, local: Any, configured: Server
) -> None:
    local.create("here", "r1")
    configured.stop()
    done = flyte("pending")
    assert (done.exit_code, names(done.stdout)) == (0, ["here"])
    [line] = done.stderr.splitlines()
    assert line.startswith("flyte-sidecar: the events of the deployment are missing: ")
    assert configured.endpoint in line
    local.get("here", run_name="r1").signal(True)
    assert "No pending events of the embedded store.\n" in flyte("pending").stderr


def test_an_unavailable_store_does_not_hide_events_of_the_deployment(
    flyte: Flyte, store: Path, configured: Server
) -> None:
    configured.model.ask("r9", "remote", **SCOPE)
    store.write_text("my diary")
    done = flyte("pending")
    assert (done.exit_code, names(done.stdout)) == (0, ["remote"])
    assert done.stderr.startswith("flyte-sidecar: the events of the embedded store are missing: ")
    configured.stop()
    done = flyte("pending")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "The events cannot be listed: " in done.stderr
    assert store.read_text() == "my diary"


def test_an_invalid_config_is_reported_and_local_events_are_listed(
    flyte: Flyte, local: Any, tmp_path: Path
) -> None:
    local.create("here", "r1")
    config = tmp_path / "broken.yaml"
    config.write_text("admin: {endpoint: [x]}\n")
    done = flyte("--config", str(config), "pending")
    assert (done.exit_code, names(done.stdout)) == (0, ["here"])
    assert "PROJECT" not in done.stdout
    assert str(config) in done.stderr
    local.get("here", run_name="r1").signal(True)
    done = flyte("--config", str(config), "pending")
    assert "No pending events of the embedded store.\n" in done.stderr


def test_an_invalid_path_of_the_store_is_a_usage_error(
    flyte: Flyte, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTE_SIDECAR_STORE", ":memory:")
    done = flyte("pending")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "the store must be a path" in done.stderr
