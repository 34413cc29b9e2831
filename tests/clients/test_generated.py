"""The generated files of the clients are up to date."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from clients.generate import golang
from clients.generate.__main__ import files
from clients.generate.contract import SCHEMAS, Contract
from clients.generate.typescript import files as typescript_files
from flyte_sidecar._version import VERSION
from tests.clients.conftest import BUILD_SECONDS, CLIENTS, GO
from tests.conftest import ROOT, needs, run


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_generated_file_is_up_to_date(path: Path) -> None:
    assert path.read_text() == files()[path], "run `make generate` and commit the changes"


def test_all_packages_have_the_same_version() -> None:
    packages = []
    for folder in ("typescript", "vscode"):
        package = json.loads((CLIENTS / folder / "package.json").read_text())
        lock = json.loads((CLIENTS / folder / "package-lock.json").read_text())
        packages += [package["version"], lock["version"], lock["packages"][""]["version"]]
    constants = [
        re.findall(r'version = "(.*)"', (CLIENTS / path).read_text(), re.IGNORECASE)
        for path in ("typescript/src/generated/version.ts", "go/version_gen.go")
    ]
    assert packages == [VERSION] * 6
    assert constants == [[VERSION]] * 2


def test_the_version_is_valid_for_pypi_npm_and_go() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


@pytest.fixture
def extended(tmp_path: Path) -> Contract:
    """A contract with additional methods, an additional member and an additional enum value."""
    shutil.copytree(SCHEMAS, tmp_path / "schemas")
    table: dict[str, Any] = json.loads((SCHEMAS / "methods.json").read_text())
    types: dict[str, Any] = json.loads((SCHEMAS / "events.schema.json").read_text())
    [listing] = [row for row in table["methods"] if row["name"] == "events.list"]
    no_params = {"params": {"$ref": "#/$defs/Params"}, "result": {"type": "null"}}
    table["methods"] += [
        {**listing, "name": "events.overdue", "summary": "List overdue events."},
        {**listing, **no_params, "name": "sidecar.rest", "summary": "Do nothing."},
    ]
    types["$defs"]["Event"]["properties"]["urgency"] = {"description": "New.", "type": "integer"}
    types["$defs"]["Phase"]["enum"].append("POSTPONED")
    for name, document in (("methods.json", table), ("events.schema.json", types)):
        (tmp_path / "schemas" / name).write_text(json.dumps(document))
    return Contract(tmp_path / "schemas")


PROGRAMS = {
    "ts": """
import { Client } from "flyte-sidecar";

declare const client: Client;
const page = await client.events.overdue({ runName: "r1" });
export const urgency: number | undefined = page.events[0]?.urgency;
for await (const event of client.events.overdueAll({ runName: "r1" })) event.phase = "POSTPONED";
export const rest: null = await client.sidecar.rest();
""",
    "go": """
package sidecar

import "context"

func overdue(ctx context.Context, client *Client) (int, error) {
	params := ListParams{RunName: "r1", Phases: []Phase{PhasePostponed}}
	page, err := client.Events.Overdue(ctx, params)
	if err != nil || len(page.Events) == 0 {
		return 0, err
	}
	return page.Events[0].Urgency, client.Sidecar.Rest(ctx)
}

var _ = overdue
""",
}


@pytest.mark.timeout(BUILD_SECONDS)
def test_the_go_client_is_generated_from_additions_to_the_schemas(
    extended: Contract, tmp_path: Path
) -> None:
    folder = tmp_path / "go"
    shutil.copytree(CLIENTS / "go", folder)
    for name, text in golang.files(extended).items():
        (folder / name).write_text(text)
    (folder / "overdue.go").write_text(PROGRAMS["go"].lstrip())
    done = run(needs("go", GO), "vet", ".", env=dict(os.environ), cwd=folder, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stderr


@pytest.mark.posix
@pytest.mark.timeout(BUILD_SECONDS)
def test_the_typescript_client_is_generated_from_additions_to_the_schemas(
    extended: Contract, typescript_copy: Path
) -> None:
    folder = typescript_copy
    for name, text in typescript_files(extended).items():
        (folder / "src" / "generated" / name).write_text(text)
    built = run(needs("npm"), "run", "build", env=dict(os.environ), cwd=folder)
    assert built.returncode == 0, built.stdout
    (folder / "tests" / "overdue.mts").write_text(PROGRAMS["ts"].lstrip())
    checked = run(
        needs("npm"), "exec", "tsc", "--", "-p", "tests", env=dict(os.environ), cwd=folder
    )
    assert checked.returncode == 0, checked.stdout
