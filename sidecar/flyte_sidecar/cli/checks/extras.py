"""Optional packages: the extras of this package that are not installed completely."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import metadata

from flyte_sidecar.cli.checks.finding import Finding, ok, skipped, warning
from flyte_sidecar.server.settings import APPLICATION, Options

USES = {
    "flyte": "logins at a deployment, and deployments behind an ingress that passes only Connect",
    "inbox": "the verb inbox",
    "notify": "the verb notify",
}
"""What each extra is for."""

_REQUIREMENT = re.compile(
    r"(?P<package>[\w.-]+)[^;]*;(?P<platforms>.*)\bextra *== *['\"](?P<extra>[\w.-]+)['\"]"
)
_PLATFORM = re.compile(r"sys_platform *== *['\"](\w+)['\"]")


async def check_extras(options: Options) -> Sequence[Finding]:
    """Return which extras are installed."""
    try:
        requirements = metadata.requires(APPLICATION) or []
    except metadata.PackageNotFoundError:
        return [skipped("extras", f"{APPLICATION} is not an installed package")]
    packages: dict[str, list[str]] = {}
    for match in filter(None, map(_REQUIREMENT.match, requirements)):
        platforms = _PLATFORM.findall(match["platforms"])
        if not platforms or sys.platform in platforms:
            packages.setdefault(match["extra"], []).append(match["package"])
    return [_check(extra, names, options) for extra, names in packages.items()]


def _check(extra: str, packages: Sequence[str], options: Options) -> Finding:
    missing = [package for package in packages if not _is_installed(package)]
    name, use = f"extra {extra}", USES.get(extra, extra)
    if not missing:
        return ok(name, f"installed, for {use}")
    detail = f"not installed, for {use}: {', '.join(missing)}"
    advice = f"pip install '{APPLICATION}[{extra}]' adds it"
    if extra == "flyte" and options.backend != "local":
        return warning(name, detail, advice)
    return skipped(name, detail, advice)


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
