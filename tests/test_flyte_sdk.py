"""The package installed together with the Flyte SDK, which pins the flyteidl2 that both use."""

from __future__ import annotations

import os
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import run
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server
from tests.flyte_sdk import pip, sdk_and_sidecar, wheel

REQUIREMENTS = ["flyte==2.3.8", "flyte==2.5.0", "flyte==2.9.0", "flyte"]

USE_BOTH = """
import flyte, flyte.remote, flyte_sidecar, sys
flyte_sidecar.init(backend="flyte", endpoint=sys.argv[1], insecure=True, project="p", domain="d")
event = flyte_sidecar.Event.get("approve", run_name="r1")
event.signal(True)
print(event.wait())
"""


@pytest.mark.versions
@pytest.mark.timeout(600)
@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_the_wheel_works_in_one_environment_with_the_sdk(
    requirement: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    python = sdk_and_sidecar(requirement, tmp_path_factory)
    assert pip("check", python=python).returncode == 0
    model = Model()
    model.ask("r1", "approve", action="e1", project="p", domain="d")
    with Server(model) as server:
        used = run(python, "-c", USE_BOTH, server.endpoint, env=dict(os.environ), cwd=tmp_path)
    assert (used.returncode, used.stdout) == (0, "True\n"), used.stderr


def test_the_wheel_installs_only_its_package_the_completion_of_shells_and_a_manual_page(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with ZipFile(wheel(tmp_path_factory)) as archive:
        folders = {
            "data" if ".data/data/" in name else name.partition("/")[0].rpartition(".")[2]
            for name in archive.namelist()
        }
        data = {name.partition(".data/data/")[2] for name in archive.namelist() if ".data/" in name}
    assert folders == {"flyte_sidecar", "dist-info", "data"}
    assert data == {
        "share/bash-completion/completions/flyte-sidecar",
        "share/fish/vendor_completions.d/flyte-sidecar.fish",
        "share/man/man1/flyte-sidecar.1",
        "share/zsh/site-functions/_flyte-sidecar",
    }
