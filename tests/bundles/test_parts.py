"""The parts of a bundle, without a build."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import npm
from bundles.entry_point import write_entry_point
from bundles.notices import MissingLicenseError, notices
from bundles.platforms import PLATFORMS, Platform
from bundles.python_runtime import Runtime
from bundles.shared_libraries import NotRelocatableError, check_relocatable
from flyte_sidecar._version import VERSION
from tests.bundles.environment import PYTHON
from tests.conftest import ROOT, needs, run

WINDOWS = Platform("win32", "x64")


@pytest.mark.posix
def test_the_command_starts_the_python_beside_it_also_through_a_link(tmp_path: Path) -> None:
    interpreter = tmp_path / "a b" / "bin" / "python3.x"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text("#!/bin/sh\nprintf '%s;' \"$@\"\n")
    interpreter.chmod(0o755)
    root = interpreter.parent.parent
    write_entry_point(Runtime(root, interpreter, root / "lib"), PLATFORMS[0])
    (tmp_path / "link").symlink_to(Path("a b", "bin", "flyte-sidecar"))
    for command in (root / "bin" / "flyte-sidecar", tmp_path / "link", "./link"):
        done = run(command, "x y", "", env=dict(os.environ), cwd=tmp_path)
        assert done.stdout == "-I;-m;flyte_sidecar;x y;;"


def test_the_command_for_windows_runs_an_archive_by_the_python_of_the_bundle(
    tmp_path: Path,
) -> None:
    write_entry_point(Runtime(tmp_path, tmp_path / "python.exe", tmp_path / "Lib"), WINDOWS)
    path = tmp_path / "Scripts" / "flyte-sidecar.exe"
    program = path.read_bytes()
    assert program.startswith(b"MZ")
    assert b"#!<launcher_dir>\\..\\python.exe -I\r\nPK" in program
    done = run(sys.executable, path, "--version", env=dict(os.environ))  # what the launcher does
    assert done.stdout == f"flyte-sidecar {VERSION}\n"


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of other systems are copied")
def test_a_python_that_needs_libraries_of_the_machine_is_rejected(tmp_path: Path) -> None:
    check_relocatable(tmp_path)
    (tmp_path / "program").symlink_to(needs("node"))  # needs those of C++
    with pytest.raises(NotRelocatableError, match=r": .*libstdc\+\+\.so\.6.*--copy-libraries"):
        check_relocatable(tmp_path)


def distribution(runtime: Runtime, name: str, metadata: str) -> Path:
    folder = runtime.site_packages / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n{metadata}")
    (folder / "RECORD").write_text(f"{folder.name}/METADATA,,\n{folder.name}/licenses/LICENSE,,\n")
    (folder / "licenses").mkdir()
    (folder / "licenses" / "LICENSE").write_text(f"The text of {name}\n")
    return folder


def test_the_notices_contain_the_licenses_of_all_that_is_bundled(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, tmp_path / "python", tmp_path / "lib")
    distribution(runtime, "one", "License-Expression: MIT\n")
    distribution(runtime, "two", "Classifier: License :: OSI Approved :: BSD License\n")
    distribution(runtime, "three", "License: Apache\n")
    (runtime.library / "LICENSE.txt").write_text("The text of Python\n")
    linked = tmp_path / "licenses"
    linked.mkdir()
    (linked / "LICENSE.zlib.txt").write_text("The text of zlib\n")
    text = notices(runtime, PYTHON, linked)
    lines = text.splitlines()
    assert {"one 1.0: MIT", "two 1.0: BSD License", "three 1.0: Apache"} <= {*lines}
    texts = [line for line in lines if line.startswith("The text of ")]
    assert texts == [f"The text of {name}" for name in ("Python", "zlib", "one", "three", "two")]


def test_a_distribution_without_a_license_is_rejected(tmp_path: Path) -> None:
    runtime = Runtime(tmp_path, tmp_path / "python", tmp_path / "lib")
    folder = distribution(runtime, "one", "")
    (folder / "RECORD").write_text("")
    (runtime.library / "LICENSE.txt").write_text("")
    with pytest.raises(MissingLicenseError, match="one states no license"):
        notices(runtime, PYTHON, None)


def test_the_client_is_published_with_the_packages_of_all_platforms() -> None:
    published = npm.client_manifest()["optionalDependencies"]
    assert published == {npm.package_name(platform): VERSION for platform in PLATFORMS}


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_a_package_is_installed_only_on_its_platform(platform: Platform) -> None:
    manifest = npm.platform_manifest(platform)
    assert manifest["version"] == VERSION
    assert (manifest["os"], manifest["cpu"]) == ([platform.os], [platform.cpu])
    assert manifest.get("libc") == (["glibc"] if platform.os == "linux" else None)
    client = (ROOT / "clients" / "typescript" / "src" / "bundled.ts").read_text()
    assert f'"{platform.command}"' in client


@pytest.mark.parametrize(("python", "shown"), [("/none", "/none"), ("", ".")])
def test_a_failed_build_prints_what_is_missing(tmp_path: Path, python: str, shown: str) -> None:
    command = [sys.executable, "-m", "bundles", "folder", tmp_path / "b", "--python", python]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    hint = "`make relocatable-python` installs one for releases"
    assert done.stderr == f"bundles: there is no Python at '{shown}': {hint}\n"
