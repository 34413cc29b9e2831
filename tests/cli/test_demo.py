"""The part of the demo that needs Flyte's SDK."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import run
from tests.flyte_sdk import sdk_and_sidecar

Environment = dict[str, str]


@pytest.mark.versions
@pytest.mark.timeout(600)
@pytest.mark.parametrize("requirement", ["flyte==2.3.8", "flyte"])
def test_the_demo_answers_a_condition_of_a_local_run(
    requirement: str, command: Environment, store: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = sdk_and_sidecar(requirement, tmp_path_factory)
    env = {**command, "FLYTE_SIDECAR_LOCAL_RUNS": "off"}
    done = run(python.parent / "flyte-sidecar", "demo", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    sidecars, local_run = done.stdout.split("# Flyte's SDK is installed.")
    assert '"payload":0.75' in sidecars
    waits, answered = local_run.split("# A person answers in the editor.")
    assert "run    flyte-sidecar: condition 'deploy' of run" in waits
    assert "run    approved\n" in answered
    assert done.stdout.endswith("# The demo is complete.\n")
    assert not store.exists()


def fake_sdk(folder: Path, version: str) -> Environment:
    """Return the variables that add a module `flyte` which cannot be imported."""
    metadata = folder / f"flyte-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: flyte\nVersion: {version}\n")
    (folder / "flyte.py").write_text("raise ImportError('broken\\x1b')\n")
    return {"PYTHONPATH": str(folder)}


def test_a_local_run_that_fails_ends_the_demo_with_status_1(
    command: Environment, tmp_path: Path
) -> None:
    done = run("flyte-sidecar", "demo", env=command | fake_sdk(tmp_path, "2.12.0rc1"))
    assert (done.returncode, done.stderr) == (1, "")
    assert r"run    ImportError: broken\x1b" in done.stdout
    assert done.stdout.endswith("# The local run has failed.\n")


def test_without_an_sdk_that_has_conditions_the_demo_shows_no_local_run(
    command: Environment, tmp_path: Path
) -> None:
    done = run("flyte-sidecar", "demo", env=command | fake_sdk(tmp_path, "2.2.9"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "SDK" not in done.stdout
    assert done.stdout.endswith("# The demo is complete.\n")
