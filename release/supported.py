"""The versions and systems that the packages claim to support."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent

RUNNERS = {
    "POSIX :: Linux": "ubuntu-latest",
    "MacOS": "macos-latest",
    "Microsoft :: Windows": "windows-latest",
}
"""The runner that tests each system, by the system's classifier."""


def project() -> dict[str, Any]:
    """Return the table `project` of pyproject.toml."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def pythons() -> list[str]:
    """Return the versions of Python, the lowest first."""
    prefix = "Programming Language :: Python :: "
    claims = [text.removeprefix(prefix) for text in project()["classifiers"]]
    return [claim for claim in claims if re.fullmatch(r"3\.\d+", claim)]


def runners() -> list[str]:
    """Return the runners of the supported systems."""
    prefix = "Operating System :: "
    claims = [text for text in project()["classifiers"] if text.startswith(prefix)]
    return [RUNNERS[claim.removeprefix(prefix)] for claim in claims]


def lowest_node() -> str:
    """Return the lowest version of Node."""
    package = json.loads((ROOT / "clients" / "typescript" / "package.json").read_text("utf-8"))
    return str(package["engines"]["node"]).removeprefix(">=")


def lowest_go() -> str:
    """Return the lowest version of Go."""
    module = (ROOT / "clients" / "go" / "go.mod").read_text("utf-8")
    [lowest] = re.findall(r"^go (\S+)$", module, re.MULTILINE)
    return str(lowest)


def matrix() -> dict[str, object]:
    """Return the values of each dimension of the test matrix.

    The newest releases are named by the words of setup-node and setup-go.
    """
    return {
        "pythons": pythons(),
        "runners": runners(),
        "toolchains": [
            {"node": lowest_node(), "go": lowest_go()},
            {"node": "latest", "go": "stable"},
        ],
    }
