"""The workflows in `.github/`, which can only run there. `make lint` checks them with zizmor."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clients.conftest import GO
from tests.conftest import ROOT, needs, run

ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEXTS = {path.name: path.read_text() for path in WORKFLOWS}
parametrized = pytest.mark.parametrize("name", TEXTS)


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(TEXTS[name])["jobs"]
    return found


def commands(name: str) -> str:
    """Return the shell scripts of all steps."""
    steps = [step for job in jobs(name).values() for step in job.get("steps", [])]
    return "\n".join(step["run"] for step in steps if "run" in step)


def test_actionlint_accepts_the_workflows(tmp_path: Path) -> None:
    command = (needs("go", GO), "run", ACTIONLINT, "-no-color", *WORKFLOWS)
    done = run(*command, env=dict(os.environ), cwd=tmp_path, timeout=110)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@parametrized
def test_each_job_has_a_timeout_and_only_permissions_of_its_own(name: str) -> None:
    assert yaml.safe_load(TEXTS[name])["permissions"] == {}
    for job in jobs(name).values():
        assert "timeout-minutes" in job or "uses" in job


@parametrized
def test_each_action_is_pinned_to_the_commit_of_one_version(name: str) -> None:
    uses = re.findall(r"uses: (?!\./)(.*)", TEXTS[name])
    everywhere = re.findall(r"uses: (?!\./)(.*)", "\n".join(TEXTS.values()))
    for line in uses:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
        assert {other for other in everywhere if other.startswith(line.partition("@")[0])} == {line}


@parametrized
def test_jobs_call_targets_that_contributors_have(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in re.findall(r"^\s*make (.*)$", commands(name), re.MULTILINE):
        called = [word for word in re.sub(r'\S+="[^"]*"', "", line).split() if "=" not in word]
        assert called
        assert set(called) <= targets


def test_the_required_check_waits_for_all_jobs() -> None:
    found = jobs("ci.yml")
    assert {*found.pop("passed")["needs"]} == found.keys()
