"""The rooms of the house, and who may know whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

MODULES = sorted((ROOT / "sidecar").rglob("*.py"))

MAY_KNOW: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "events": {"errors"},
    "rpc": {"errors"},
    "protocol": {"errors", "events"},
    "schema": {"errors", "events", "protocol"},
    "backends": {"errors", "events"},
    "watches": {"errors", "events", "protocol", "rpc"},
    "methods": {"errors", "events", "protocol", "rpc", "schema", "watches"},
    "options": {"backends", "events", "rpc", "version"},
    "standard_streams": set(),
    "logs": {"standard_streams"},
    "client": {"protocol", "rpc"},
    "serve": {"events", "methods", "options", "protocol", "rpc", "version"},
    "call": {"options", "protocol", "rpc", "serve", "standard_streams", "terminal"},
    "terminal": set(),
    "watch": {
        *("events", "options", "protocol", "rpc", "standard_streams", "terminal", "watches"),
    },
    "pending": {"events", "options", "protocol", "standard_streams", "terminal"},
    "demo": {"client", "terminal"},
    "doctor": {"backends", "errors", "events", "options", "protocol", "terminal", "version"},
    "blocking": set(),
    "choice": {"blocking", "events", "options"},
    "remote": {"backends", "blocking", "choice", "errors", "events", "protocol"},
    "arguments": {"options", "rpc", "version"},
    "cli": {
        *("arguments", "call", "demo", "doctor", "errors", "logs", "options", "pending"),
        *("rpc", "schema", "serve", "standard_streams", "terminal", "watch"),
    },
    "__main__": {"cli"},
    "__init__": {"choice", "errors", "remote", "version"},
}


def room(module: Path) -> str:
    return module.relative_to(ROOT / "sidecar").parts[0].removesuffix(".py")


def imported_rooms(module: Path) -> set[str]:
    """Give the rooms that a module imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide where they point"
            source = node.module or ""
            plain = source == "sidecar"
            found |= {f"sidecar.{alias.name}" for alias in node.names} if plain else {source}
    return {name.split(".")[1] for name in found if name.startswith("sidecar.")}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(module: Path) -> None:
    above = imported_rooms(module) - MAY_KNOW[room(module)] - {room(module)}
    assert above == set(), f"{room(module)} may not know {above}"


def test_the_table_of_rooms_has_no_way_back_up() -> None:
    def below(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {path}"
        for lower in MAY_KNOW[name]:
            below(lower, (*path, name))

    for name in MAY_KNOW:
        below(name, ())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_crowded(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 330


LOCKS = [path for path in ROOT.rglob("package-lock.json") if "node_modules" not in path.parts]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_file_records_no_addresses(lock: Path) -> None:
    assert '"resolved"' not in lock.read_text()
