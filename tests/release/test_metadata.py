"""What the packages claim to support, and what the workflows test."""

from __future__ import annotations

import json
import os
import re
import tomllib
from typing import Any

import pytest
import yaml
from uv import find_uv_bin

from bundles.platforms import PLATFORMS
from release import supported
from tests.clients.conftest import CLIENTS, GO, NODE
from tests.conftest import ROOT, run

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOW: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
REPOSITORY = "https://github.com/flyte-sidecar/flyte-sidecar"


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def package(folder: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CLIENTS / folder / "package.json").read_text())
    return found


def test_the_classifiers_are_all_versions_from_the_lowest_that_is_required() -> None:
    lowest = supported.project()["requires-python"].removeprefix(">=")
    minors = [numbers(version)[1] for version in supported.pythons()]
    assert minors == list(range(numbers(lowest)[1], minors[-1] + 1))


def test_the_tools_expect_the_lowest_python() -> None:
    lowest = supported.pythons()[0]
    makefile = (ROOT / "Makefile").read_text()
    assert CONFIG["tool"]["ruff"]["target-version"] == f"py{lowest.replace('.', '')}"
    assert CONFIG["tool"]["mypy"]["python_version"] == lowest
    assert f"--python-version {lowest} " in makefile
    assert f"sys.version_info < {numbers(lowest)}" in makefile


@pytest.mark.parametrize("name", supported.matrix())
def test_the_workflow_tests_each_version_and_system_that_is_claimed(name: str) -> None:
    assert WORKFLOW["jobs"]["build"]["outputs"][name] == f"${{{{ steps.matrix.outputs.{name} }}}}"
    used = f"${{{{ fromJSON(needs.build.outputs.{name}) }}}}"
    jobs = WORKFLOW["jobs"].values()
    values = [v for job in jobs for v in job.get("strategy", {}).get("matrix", {}).values()]
    assert used in values


def test_the_matrix_has_an_entry_for_each_supported_system() -> None:
    assert sorted(supported.runners()) == sorted(supported.RUNNERS.values())


def test_the_workflow_builds_a_bundle_for_each_platform() -> None:
    entries = WORKFLOW["jobs"]["bundle"]["strategy"]["matrix"]["include"]
    assert [entry["platform"] for entry in entries] == [platform.name for platform in PLATFORMS]


def test_the_licenses_in_a_bundle_are_of_the_release_of_its_python() -> None:
    [version] = re.findall(r"^RELOCATABLE := (.+)$", (ROOT / "Makefile").read_text(), re.M)
    steps = WORKFLOW["jobs"]["bundle"]["steps"]
    [release] = [step["with"]["ref"] for step in steps if "ref" in step.get("with", {})]
    arguments = ("python", "list", version, "--only-downloads", "--show-urls", "--offline")
    listed = run(find_uv_bin(), *arguments, env=dict(os.environ)).stdout
    assert f"/{release}/cpython-{version}" in listed


@pytest.mark.parametrize("folder", ["typescript", "vscode"])
def test_the_tests_need_the_lowest_node_that_a_package_supports(folder: str) -> None:
    assert package(folder)["engines"]["node"] == f">={NODE[0]}"
    assert package(folder)["devDependencies"]["@types/node"].startswith(f"{NODE[0]}.")
    assert supported.lowest_node() == str(NODE[0])


def test_the_tests_need_the_lowest_go_that_the_module_supports() -> None:
    assert numbers(supported.lowest_go()) == GO


@pytest.mark.parametrize("folder", ["typescript", "vscode"])
def test_the_packages_name_the_project_and_its_repository(folder: str) -> None:
    found = package(folder)
    assert found["repository"]["url"].removeprefix("git+").removesuffix(".git") == REPOSITORY
    assert found["repository"]["directory"] == f"clients/{folder}"
    assert found["bugs"]["url"] == f"{REPOSITORY}/issues"
    assert found["author"] == CONFIG["project"]["authors"][0]["name"]
    assert found["license"] == CONFIG["project"]["license"]
    assert (CLIENTS / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_npm_package_is_published_with_provenance() -> None:
    assert package("typescript")["publishConfig"] == {"access": "public", "provenance": True}


def test_the_module_path_is_the_repository_and_its_folder() -> None:
    module = (CLIENTS / "go" / "go.mod").read_text()
    assert re.findall(r"^module (.+)$", module, re.MULTILINE) == [
        REPOSITORY.removeprefix("https://") + "/clients/go"
    ]
