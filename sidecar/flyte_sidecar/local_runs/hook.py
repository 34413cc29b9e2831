"""Replaces the method of the SDK's local controller that waits for a condition.

The module of the local controller is imported only by processes that run tasks locally, and late.
The method is therefore replaced right after that import.
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
    """Replace the method now, or once its module is imported."""
    if os.environ.get(VARIABLE, "").lower() in OFF:
        return
    module = sys.modules.get(CONTROLLER_MODULE)
    if module is None:
        sys.meta_path.insert(0, _AfterImport())
    else:
        _replace(module)


class _AfterImport:
    """Finds the module of the local controller, and replaces the method when it is executed."""

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
        from flyte_sidecar.local_runs import sdk

        sdk.serve_conditions(module)
    except Exception as error:
        import logging

        logging.getLogger(__name__).info("local runs are not served: %s", error)
