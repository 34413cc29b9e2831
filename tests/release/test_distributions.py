"""The wheel and the sdist."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from flyte_sidecar._version import VERSION
from release import supported
from tests.conftest import ROOT, run, worker_lock

SDIST, WHEEL = f"flyte_sidecar-{VERSION}.tar.gz", f"flyte_sidecar-{VERSION}-py3-none-any.whl"
PACKAGE = ROOT / "sidecar"
INFO, DATA = f"flyte_sidecar-{VERSION}.dist-info/", f"flyte_sidecar-{VERSION}.data/data/share/"


def build(folder: Path, source: Path, *targets: str) -> None:
    arguments = ("build", "--directory", folder, *targets)
    hatchling = (sys.executable, "-m", "hatchling", *arguments)
    done = run(*hatchling, env=dict(os.environ), cwd=source)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the wheel and the sdist of this repository."""
    with worker_lock("dist", tmp_path_factory) as shared:
        folder = shared / "dist"
        if not folder.exists():
            build(folder, ROOT)
    return folder


def wheel_contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


def test_the_wheel_contains_each_file_of_the_package_and_nothing_else(dist: Path) -> None:
    names = set(wheel_contents(dist / WHEEL))
    own = {name for name in names if name.startswith("flyte_sidecar/")}
    package = {
        path.relative_to(PACKAGE).as_posix()
        for path in (PACKAGE / "flyte_sidecar").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert own == package
    assert names - own == {
        *(INFO + name for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")),
        INFO + "licenses/LICENSE",
        DATA + "bash-completion/completions/flyte-sidecar",
        DATA + "fish/vendor_completions.d/flyte-sidecar.fish",
        DATA + "man/man1/flyte-sidecar.1",
        DATA + "zsh/site-functions/_flyte-sidecar",
    }


def test_the_sdist_contains_each_file_of_the_repository(dist: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a clone")
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    existing = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    with tarfile.open(dist / SDIST) as sdist:
        names = {member.name.partition("/")[2] for member in sdist if member.isfile()}
    assert existing <= names
    assert "PKG-INFO" in names - existing


def test_the_sdist_builds_the_same_wheel(dist: Path, tmp_path: Path) -> None:
    with tarfile.open(dist / SDIST) as sdist:
        sdist.extractall(tmp_path, filter="data")
    build(tmp_path, tmp_path / SDIST.removesuffix(".tar.gz"), "--target", "wheel")
    assert wheel_contents(tmp_path / WHEEL) == wheel_contents(dist / WHEEL)


def test_the_metadata_is_what_an_index_accepts(dist: Path) -> None:
    found = Metadata.from_email(wheel_contents(dist / WHEEL)[INFO + "METADATA"], validate=True)
    assert (found.name, str(found.version)) == ("flyte-sidecar", VERSION)
    assert found.description_content_type == "text/markdown"
    assert found.description
    assert (found.license_expression, found.license_files) == ("Apache-2.0", ["LICENSE"])
    assert found.classifiers == supported.project()["classifiers"]
    expected = {"Homepage", "Documentation", "Repository", "Issues", "Changelog", "Security"}
    assert found.project_urls is not None
    assert found.project_urls.keys() == expected
