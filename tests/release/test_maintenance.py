"""The configuration of Dependabot and of pre-commit."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, needs, run

MANIFESTS = {"npm": "package.json", "gomod": "go.mod", "cargo": "Cargo.toml", "maven": "pom.xml"}
KEPT = {"/tests/clients/lowest_typescript"}
"""Folders whose dependencies are old on purpose."""


def updates() -> dict[str, dict[str, Any]]:
    """Return the entries of dependabot.yml by ecosystem."""
    config = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
    return {entry["package-ecosystem"]: entry for entry in config["updates"]}


def folders_with(manifest: str) -> set[str]:
    found = set()
    for folder, folders, names in os.walk(ROOT):
        ignored = {"node_modules", "build", "dist"}
        folders[:] = [name for name in folders if name not in ignored and not name.startswith(".")]
        if manifest in names:
            found.add(f"/{Path(folder).relative_to(ROOT).as_posix()}")
    return found


@pytest.mark.parametrize("ecosystem", MANIFESTS)
def test_dependabot_looks_into_each_folder_with_dependencies(ecosystem: str) -> None:
    entry = updates()[ecosystem]
    listed = set(entry.get("directories", [entry.get("directory")]))
    assert listed == folders_with(MANIFESTS[ecosystem]) - KEPT


def test_dependabot_excludes_only_the_locks_with_older_versions() -> None:
    entry = updates()["pip"]
    locks = {path.name for path in (ROOT / entry["directory"].strip("/")).glob("*.txt")}
    assert locks - set(entry["exclude-paths"]) == {"bundle.txt", "dev.txt"}
    assert set(entry["exclude-paths"]) <= locks


def test_dependabot_waits_before_it_proposes_a_version() -> None:
    for entry in updates().values():
        assert entry["cooldown"]["default-days"] >= 7
        assert entry["groups"]


def test_the_hooks_of_pre_commit_accept_the_repository(tmp_path: Path) -> None:
    """The hooks for JavaScript need installed packages, and are left out."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    needs("make")
    needs("gofmt")
    skipped = {"PRE_COMMIT_HOME": str(tmp_path), "SKIP": "biome-client,biome-extension"}
    command = (sys.executable, "-m", "pre_commit", "run", "--all-files")
    done = run(*command, env={**os.environ, **skipped}, cwd=ROOT)
    assert done.returncode == 0, done.stdout
