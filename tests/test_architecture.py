"""Which package may import which, and other rules of structure."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "sidecar" / "flyte_sidecar"
MODULES = sorted(PACKAGE.rglob("*.py"))

AT_THE_BOTTOM = {
    *("_backoff", "_futures", "_process_groups", "_suggestions", "_version", "errors"),
}
"""The modules that every package may import, and that import none."""

MAY_IMPORT: dict[str, set[str]] = {
    "_sync": set(),
    "_internal_error": set(),
    "rpc": {"_internal_error"},
    "events": {"_internal_error"},
    "protocol": {"events"},
    "lsp": {"_internal_error", "events", "protocol", "rpc"},
    "schema": {"events", "lsp", "protocol"},
    "backends": {"events"},
    "conformance": set(),
    "client": {"protocol", "rpc"},
    "server": {"backends", "events", "lsp", "protocol", "rpc", "schema"},
    "_init": {"_sync", "events", "server"},
    "_event_arguments": {"events", "protocol"},
    "event": {"_event_arguments", "_init", "_sync", "backends", "events"},
    "local_runs": {"_sync", "backends", "events", "server"},
    "cli": {
        *("_internal_error", "backends", "client", "conformance", "events", "local_runs"),
        *("protocol", "rpc", "schema", "server"),
    },
    "flyte_commands": {"backends", "cli", "events", "local_runs", "server"},
    "testing": {"_sync", "backends", "events", "local_runs", "server"},
    "__main__": {"cli"},
    "__init__": {"_init", "event"},
}
"""The other packages of `flyte_sidecar`, and which of one another each may import."""

FLYTE_MAY_IMPORT: dict[str, set[str]] = {
    "address": set(),
    "names": set(),
    "timing": set(),
    "credentials": set(),
    "proxy": {"address"},
    "endpoint": {"address", "credentials", "proxy"},
    "config": {"credentials", "endpoint", "proxy"},
    "rpc": {"address", "endpoint", "proxy", "timing"},
    "auth": {"address", "credentials", "endpoint", "proxy", "rpc", "timing"},
    "cache": {"rpc"},
    "read": {"cache", "rpc", "timing"},
    "write": {"read", "rpc"},
    "watch": {"cache", "read", "rpc", "timing"},
    "session": {"auth", "cache", "endpoint", "read", "rpc", "timing", "watch", "write"},
    "backend": {"auth", "endpoint", "names", "rpc", "session", "timing"},
    "__init__": {"auth", "backend", "config", "endpoint"},
}
"""The same within `flyte_sidecar.backends.flyte`."""

CLI_MAY_IMPORT: dict[str, set[str]] = {
    "arguments": set(),
    "logins": set(),
    "listings": set(),
    "markdown": set(),
    "quantities": set(),
    "search": set(),
    "standard_streams": set(),
    "terminal": set(),
    "terminal_login_prompt": set(),
    "times": set(),
    "event_filter": {"arguments"},
    "in_process_client": {"terminal_login_prompt"},
    "logs": {"standard_streams"},
    "opened": {"arguments", "terminal_login_prompt"},
    "output": {"terminal"},
    "prompt_text": {"markdown", "terminal"},
    "table": {"terminal"},
    "conformance_report": {"table", "terminal"},
    "event_table": {"table", "terminal", "times"},
    "answering": {
        *("arguments", "listings", "logs", "opened", "output", "prompt_text", "search"),
        *("standard_streams", "terminal", "times"),
    },
    "bulk": {
        *("answering", "arguments", "event_filter", "event_table", "listings", "output"),
        "quantities",
    },
    "checks": {"logins", "logs", "quantities", "terminal"},
    "completion": {"arguments", "opened"},
    "inbox": {
        *("answering", "opened", "prompt_text", "quantities", "search", "table", "terminal"),
        "times",
    },
    "notify": {"arguments", "event_filter", "quantities", "standard_streams", "terminal"},
}
"""The same within `flyte_sidecar.cli`. `main` and the verbs may import all of these."""


def imported(module: Path) -> set[str]:
    """Return the dotted names that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute here"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def children(names: set[str], package: str) -> set[str]:
    """Return the direct members of a package among dotted names."""
    prefix = f"{package}."
    return {name.removeprefix(prefix).split(".")[0] for name in names if name.startswith(prefix)}


def member(module: Path, package: Path) -> str:
    return module.relative_to(package).parts[0].removesuffix(".py")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(module: Path) -> None:
    own = member(module, PACKAGE)
    below = set() if own in AT_THE_BOTTOM else MAY_IMPORT[own] | AT_THE_BOTTOM
    assert children(imported(module), "flyte_sidecar") <= below | {own}


FLYTE = PACKAGE / "backends" / "flyte"


@pytest.mark.parametrize(
    "module", sorted(FLYTE.rglob("*.py")), ids=lambda path: str(path.relative_to(FLYTE))
)
def test_imports_of_the_flyte_backend_point_down(module: Path) -> None:
    own = member(module, FLYTE)
    above = children(imported(module), "flyte_sidecar.backends.flyte")
    assert above <= FLYTE_MAY_IMPORT[own] | {own}
    assert "local" not in children(imported(module), "flyte_sidecar.backends")


CLI = PACKAGE / "cli"


@pytest.mark.parametrize(
    "module",
    sorted(path for path in CLI.rglob("*.py") if member(path, CLI) in CLI_MAY_IMPORT),
    ids=lambda path: str(path.relative_to(CLI)),
)
def test_imports_of_the_parts_of_verbs_point_down(module: Path) -> None:
    own = member(module, CLI)
    assert children(imported(module), "flyte_sidecar.cli") <= CLI_MAY_IMPORT[own] | {own}


def test_each_part_of_verbs_is_in_the_table() -> None:
    parts = {member(path, CLI) for path in CLI.rglob("*.py")}
    assert parts - CLI_MAY_IMPORT.keys() == {"__init__", "main", "verbs"}


MERGED = PACKAGE / "backends" / "merged"


@pytest.mark.parametrize("module", sorted(MERGED.glob("*.py")), ids=lambda path: path.name)
def test_merging_does_not_depend_on_the_backends_that_are_merged(module: Path) -> None:
    names = imported(module)
    assert children(names, "flyte_sidecar") <= {"_futures", "backends", "errors", "events"}
    assert children(names, "flyte_sidecar.backends") <= {"merged"}


@pytest.mark.parametrize("table", [MAY_IMPORT, FLYTE_MAY_IMPORT, CLI_MAY_IMPORT])
def test_the_allowed_imports_have_no_cycle(table: dict[str, set[str]]) -> None:
    list(TopologicalSorter(table).static_order())  # raises CycleError


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_crowded(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 330


LOCKS = [path for path in ROOT.rglob("package-lock.json") if "node_modules" not in path.parts]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_file_records_no_addresses(lock: Path) -> None:
    assert '"resolved"' not in lock.read_text()
