"""The npm packages, installed where there is no Python."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundles import npm
from bundles.notices import FILE_NAME
from bundles.platforms import PLATFORMS, this_platform
from tests.bundles.environment import PYTHON, build_bundle
from tests.bundles.image import Image, need_namespaces
from tests.bundles.registry import serve
from tests.clients.conftest import BUILD_SECONDS
from tests.clients.conftest import typescript as typescript
from tests.conftest import skip_or_fail
from tests.editors.vscode.install import InstallationError, install

pytestmark = [
    pytest.mark.timeout(BUILD_SECONDS),
    pytest.mark.skipif(sys.platform != "linux", reason="needs the namespaces of Linux"),
]

UNCHECKED = b"\1\0\0\0"
"""The field of bytecode that is valid whatever the times of the files."""

PROGRAM = """
const { Client } = require("flyte-sidecar");
Client.spawn().then(async (client) => {
  const { source, program } = client.command;
  const interpreter = fs.readlinkSync(`/proc/${client.pid}/exe`);
  console.log(JSON.stringify({ source, command: program, interpreter }));
  await client.close();
});
"""


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    """A root file system without Python."""
    need_namespaces()
    try:
        node = install().node
    except InstallationError as error:
        skip_or_fail(str(error))
    yield Image(tmp_path / "image", node.parent.parent)
    shutil.rmtree(tmp_path / "image")


@pytest.fixture
def client(typescript: Path, tmp_path: Path) -> Path:
    """The tarball of the client."""
    return npm.pack_client(tmp_path)


@contextmanager
def registry_of(client: Path, bundle: Path | None) -> Iterator[dict[str, str]]:
    """Serve the packages, and yield the environment in which npm uses the registry."""
    own = this_platform()
    platforms = [
        (npm.platform_manifest(each), bundle if each == own else None) for each in PLATFORMS
    ]
    with serve([(npm.client_manifest(), client), *platforms]) as address:
        yield {"npm_config_registry": address, "npm_config_update_notifier": "false"}


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Path]:
    """The tarball of this platform's package. It is not compressed, which takes long."""
    folder, path = tmp_path / "package", tmp_path / "bundle.tgz"
    build_bundle(folder)
    (folder / "package.json").write_text(json.dumps(npm.platform_manifest(this_platform())))
    with tarfile.open(path, "w") as tar:
        tar.add(folder, folder.name)
    shutil.rmtree(folder)
    yield path
    path.unlink()


@pytest.mark.posix
def test_npx_and_the_client_run_the_command_where_there_is_no_python(
    image: Image, client: Path, bundle: Path
) -> None:
    python = image.run("sh", "-c", "command -v python || command -v python3", env={})
    assert (python.returncode, python.stdout) == (127, "")
    with registry_of(client, bundle) as env:
        done = image.run("npx", "--yes", "flyte-sidecar", "call", "sidecar.status", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["backend"]["kind"] == "local"
    [installed] = image.path("/home/.npm/_npx").glob("*/node_modules")
    folder = f"/{installed.parent.relative_to(image.path('/'))}"
    spawned = image.run("sh", "-c", f"cd {folder}; exec node -e '{PROGRAM}'", env={})
    assert spawned.returncode == 0, spawned.stderr
    platform = this_platform()
    package = f"{folder}/node_modules/{npm.package_name(platform)}"
    assert json.loads(spawned.stdout) == {
        "source": "bundled",
        "command": f"{package}/{platform.command}",
        "interpreter": f"{package}/bin/python{PYTHON.version}",
    }
    modes = {path.read_bytes()[4:8] for path in installed.rglob("*.pyc")}
    assert modes == {UNCHECKED}, "modules were compiled again"
    licenses = (installed / npm.package_name(platform) / FILE_NAME).read_text()
    for metadata in installed.glob("@*/*/lib/*/site-packages/*.dist-info"):
        name, version = metadata.stem.split("-")
        listed = re.compile(f"^{re.sub('[-_.]', '[-_.]', name)} {version}: ", re.M | re.I)
        assert listed.search(licenses) or name == "flyte_sidecar", name


@pytest.mark.posix
def test_without_the_optional_package_the_error_names_what_was_tried(
    image: Image, client: Path
) -> None:
    with registry_of(client, None) as env:
        omitted = {**env, "npm_config_omit": "optional"}
        done = image.run("npx", "--yes", "flyte-sidecar", "--version", env=omitted)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the package {npm.package_name(this_platform())} (not installed" in done.stderr
