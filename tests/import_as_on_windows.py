"""Import all tests as on Windows: their modules see no module and no name that only POSIX has.

The standard library, pytest and the package are not affected, because they decide by the real
platform what they import. Typeshed knows which names a platform has.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mypy

POSIX_MODULES = {
    *("fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "termios", "tty"),
    "flyte_sidecar.local_runs.terminal.posix_terminal",
    "flyte_sidecar.rpc.polled_writer",
}
OTHERWISE = {"sys.platform": "win32", "os.name": "nt"}
"""Values that are different on Windows."""

MODULES_WITH_POSIX_NAMES = ("os", "select", "signal", "socket", "sys", "time")

STUBS = Path(mypy.__file__).parent / "typeshed" / "stdlib"
TESTS = Path(__file__).parent

_import = builtins.__import__


class WindowsModule(ModuleType):
    """A module of the standard library without the names that Windows does not have."""

    def __getattr__(self, name: str) -> Any:
        if name in posix_names(self.__name__):
            raise AttributeError(f"{self.__name__}.{name} does not exist on Windows")
        real = getattr(sys.modules[self.__name__], name)
        return OTHERWISE.get(f"{self.__name__}.{name}", real)


windows_module = cache(WindowsModule)


def import_as_on_windows(name: str, *arguments: Any, **named: Any) -> Any:
    """Replace `__import__`."""
    found = _import(name, *arguments, **named)
    importer = arguments[0] if arguments else named.get("globals")
    if importer is None or not str(importer.get("__name__")).startswith("tests."):
        return found
    if name in POSIX_MODULES:
        raise ModuleNotFoundError(f"the module {name} does not exist on Windows", name=name)
    return windows_module(name) if name in MODULES_WITH_POSIX_NAMES else found


@cache
def posix_names(module: str) -> set[str]:
    """Return the names of a module that Linux has, but not Windows."""
    stub = STUBS / f"{module}.pyi"
    tree = ast.parse((stub if stub.exists() else STUBS / module / "__init__.pyi").read_text())
    linux, windows = (set(defined(tree.body, name)) for name in ("linux", "win32"))
    return linux - windows


def defined(body: list[ast.stmt], platform: str) -> Iterator[str]:
    """Yield the names that a stub defines on a platform."""
    seen = {"sys": SimpleNamespace(platform=platform, version_info=sys.version_info)}
    for node in body:
        match node:
            case ast.If():
                is_met = eval(ast.unparse(node.test), seen)
                yield from defined(node.body if is_met else node.orelse, platform)
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case ast.ImportFrom():
                yield from (alias.asname or alias.name for alias in node.names)


def modules() -> Iterator[str]:
    """Yield the names of the modules that pytest imports, which import the others."""
    for pattern in ("conftest.py", "test_*.py"):
        for path in sorted(TESTS.rglob(pattern)):
            yield ".".join(path.relative_to(TESTS.parent).with_suffix("").parts)


if __name__ == "__main__":
    builtins.__import__ = import_as_on_windows
    for module in modules():
        importlib.import_module(module)
