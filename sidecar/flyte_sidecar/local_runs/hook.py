"""Replaces the methods of the SDK's local controller, right after its module is imported.

Only processes that run tasks locally import it, and late.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

VARIABLE = "FLYTE_SIDECAR_LOCAL_RUNS"
"""Environment variable; `off` disables the feature."""

OFF = ("off", "false", "no", "0")
"""Its values that do so, in lower or upper case."""

CONTROLLER_MODULE = "flyte._internal.controllers._local_controller"


def install() -> None:
    """Replace the methods now, or once their module is imported."""
    if os.environ.get(VARIABLE, "").lower() in OFF:
        return
    module = sys.modules.get(CONTROLLER_MODULE)
    if module is None:
        sys.meta_path.insert(0, _AfterImport())
    else:
        _replace(module)


class _AfterImport:
    """Finds the module of the local controller, and replaces the methods when it is executed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != CONTROLLER_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_replace(module: ModuleType) -> None:
                execute(module)
                _replace(module)

            vars(spec.loader)["exec_module"] = execute_and_replace
        return spec


def _replace(module: ModuleType) -> None:
    try:
        from flyte_sidecar.local_runs.replaced_methods import serve_conditions

        serve_conditions(module)
    except Exception as error:
        import logging

        logging.getLogger(__name__).info("local runs are not served: %s", error)
