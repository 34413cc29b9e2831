"""The pinned versions in `requirements/`."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
OUTDATED = "run `make lock` and commit the changes"


def pins(lock: Path) -> dict[str, dict[Requirement, str]]:
    """Return the pinned requirements of a lock by name, each with its hashes and origins."""
    found: dict[str, dict[Requirement, str]] = defaultdict(dict)
    for line, rest in re.findall(r"^(\S.*?) \\\n((?: .*\n)+)", lock.read_text(), re.MULTILINE):
        requirement = Requirement(line)
        found[canonicalize_name(requirement.name)][requirement] = rest
    return found


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group, without those that it includes."""
    return [line for line in PROJECT["dependency-groups"][name] if isinstance(line, str)]


def required() -> dict[str, list[Requirement]]:
    """Return what `requirements/dev.txt` has to satisfy, by uv's name of the origin."""
    project = PROJECT["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    groups = {f"pyproject.toml:{name}": group(name) for name in PROJECT["dependency-groups"]}
    lines = {"pyproject.toml": [*project["dependencies"], *extras], **groups}
    return {origin: [Requirement(line) for line in lines[origin]] for origin in lines}


def satisfies(pin: Requirement, requirement: Requirement) -> bool:
    [version] = [specifier.version for specifier in pin.specifier]
    return requirement.specifier.contains(version)


@pytest.mark.parametrize("origin", required())
def test_the_lock_satisfies_each_requirement(origin: str) -> None:
    locked = pins(ROOT / "requirements" / "dev.txt")
    for requirement in required()[origin]:
        versions = locked[canonicalize_name(requirement.name)]
        assert versions, f"{requirement} is not locked: {OUTDATED}"
        assert all(satisfies(pin, requirement) for pin in versions), f"{requirement}: {OUTDATED}"


def test_the_lock_contains_nothing_that_is_no_longer_required() -> None:
    names = {
        f"flyte-sidecar ({origin})": {canonicalize_name(line.name) for line in lines}
        for origin, lines in required().items()
    }
    # uv names the group that includes another.
    names["flyte-sidecar (pyproject.toml:dev)"] |= names["flyte-sidecar (pyproject.toml:test)"]
    for name, versions in pins(ROOT / "requirements" / "dev.txt").items():
        for rest in versions.values():
            for origin in re.findall(r"flyte-sidecar \(.*?\)", rest):
                assert name in names[origin], f"{name}: {OUTDATED}"


def test_the_lowest_versions_are_those_that_the_package_declares() -> None:
    project = PROJECT["project"]
    locked = pins(ROOT / "requirements" / "lowest.txt")
    for line in [*project["dependencies"], *project["optional-dependencies"]["flyte"]]:
        requirement = Requirement(line)
        [lowest] = [specifier.version for specifier in requirement.specifier]
        [pin] = locked[canonicalize_name(requirement.name)]
        assert pin.specifier.contains(lowest), f"{pin} is not {requirement}: {OUTDATED}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_each_pin_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index-url" not in text
    lines = re.findall(r"^[a-z0-9].*$", text, re.MULTILINE)
    versions = [pin for versions in pins(lock).values() for pin in versions.items()]
    assert len(versions) == len(lines) > 0
    for pin, rest in versions:
        assert [specifier.operator for specifier in pin.specifier] == ["=="]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", rest), pin
