"""The npm packages: one for each platform, with a bundle, and the client, which depends on them."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundles.build import ROOT
from bundles.notices import FILE_NAME
from bundles.platforms import PLATFORMS, Platform

CLIENT = ROOT / "clients" / "typescript"

_COPIED = ("version", "homepage", "bugs", "repository", "author", "engines")
"""The members of the client's package.json that the packages of the platforms also have."""

_README = """\
# {name}

The command of [flyte-sidecar]({homepage}) for {platform}, with the Python that runs it. The package
`flyte-sidecar` installs it.
"""


class NotBuiltError(Exception):
    """The client was not built."""


def package_name(platform: Platform) -> str:
    """Return the name of the package of a platform."""
    return f"@flyte-sidecar/{platform.name}"


def platform_manifest(platform: Platform) -> Mapping[str, Any]:
    """Return the package.json of a platform's package."""
    client = _client_manifest()
    return {
        "name": package_name(platform),
        "description": f"The command of flyte-sidecar for {platform.name}",
        "license": f"SEE LICENSE IN {FILE_NAME}",
        **{key: client[key] for key in _COPIED if key in client},
        "os": [platform.os],
        "cpu": [platform.cpu],
        **({"libc": ["glibc"]} if platform.os == "linux" else {}),
        "preferUnplugged": True,  # a command cannot be run from a zip file of Yarn
    }


def client_manifest() -> Mapping[str, Any]:
    """Return the package.json with which the client is published.

    The one in the repository does not name the packages of the platforms: `npm ci` would fail
    until they are published.
    """
    client = _client_manifest()
    packages = {package_name(platform): client["version"] for platform in PLATFORMS}
    return {**client, "optionalDependencies": packages}


def pack_platform(bundle: Path, platform: Platform, destination: Path) -> Path:
    """Add what npm needs to a bundle, and pack it. Return the path of the tarball."""
    manifest = platform_manifest(platform)
    homepage = manifest.get("homepage", "")
    readme = _README.format(name=manifest["name"], platform=platform.name, homepage=homepage)
    (bundle / "README.md").write_text(readme)
    _write_json(bundle / "package.json", manifest)
    return _pack(bundle, destination)


def pack_client(destination: Path) -> Path:
    """Pack the client, which must have been built, and return the path of the tarball.

    Raises
    ------
    NotBuiltError
        If it was not built.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "client")
        folder.mkdir()
        for name in ("dist", "README.md", "LICENSE"):
            source = CLIENT / name
            if not source.exists():
                raise NotBuiltError(f"{source} does not exist: run `npm ci` in {CLIENT}")
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
        _write_json(folder / "package.json", client_manifest())
        return _pack(folder, destination)


def _pack(folder: Path, destination: Path) -> Path:
    npm = shutil.which("npm") or "npm"
    options = ["--ignore-scripts", "--json", "--pack-destination", str(destination.absolute())]
    done = subprocess.run([npm, "pack", *options], cwd=folder, stdout=subprocess.PIPE, check=True)
    [packed] = json.loads(done.stdout)
    return Path(destination, packed["filename"])


def _client_manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((CLIENT / "package.json").read_text())
    return manifest


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n")
