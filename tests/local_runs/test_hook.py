"""The hook in processes that do not wait, and in SDKs of another structure."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flyte_sidecar import local_runs
from flyte_sidecar.local_runs import hook
from tests.conftest import run
from tests.doctor_report import read_report
from tests.local_runs.conftest import NEWEST, OLDEST, Start, of_releases


class Controller:
    """A local controller as the hook expects it."""

    async def wait_for_condition(self, condition: Any) -> Any: ...
    async def finalize_parent_action(self, action_id: Any) -> None: ...


class Recorder:
    """A recorder as the hook expects it."""

    def record_condition_waiting(
        self,
        *,
        action_id: str,
        condition_name: str,
        prompt: str,
        prompt_type: str,
        data_type: type,
        description: str,
    ) -> Any: ...
    def record_complete(self, *, action_id: str, outputs: Any) -> None: ...
    def record_failure(self, *, action_id: str, error: str) -> None: ...


class Sdk:
    """The modules of an SDK that a test may change before the hook sees them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.controller: Any = type("LocalController", (Controller,), {**vars(Controller)})
        self.recorder: Any = type("RunRecorder", (Recorder,), {**vars(Recorder)})
        self.module: Any = ModuleType(hook.CONTROLLER_MODULE)
        self.module.LocalController, self.module.RunRecorder = self.controller, self.recorder
        self.package: Any = ModuleType("flyte")
        self.errors: Any = ModuleType("flyte.errors")
        self.package.errors = self.errors
        self.errors.ConditionTimedoutError = self.errors.ActionAbortedError = ValueError
        for module in (self.module, self.package, self.errors):
            monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    local_runs.install.cache_clear()
    yield Sdk(monkeypatch)
    local_runs.install.cache_clear()


def test_the_hook_replaces_two_methods(sdk: Sdk) -> None:
    local_runs.install()
    assert sdk.controller.wait_for_condition is not Controller.wait_for_condition
    assert sdk.controller.finalize_parent_action is not Controller.finalize_parent_action


def _wait_with_timeout(self: Any, condition: Any, timeout: float) -> Any: ...
async def _wait_with_options(self: Any, condition: Any, options: Any) -> Any: ...
def _record_name(self: Any, *, action_id: str, name: str) -> Any: ...


@pytest.mark.parametrize(
    "change",
    [
        lambda sdk: setattr(sdk.controller, "wait_for_condition", _wait_with_timeout),
        lambda sdk: setattr(sdk.controller, "wait_for_condition", _wait_with_options),
        lambda sdk: setattr(sdk.recorder, "record_condition_waiting", _record_name),
        lambda sdk: setattr(sdk.recorder, "record_failure", None),
        lambda sdk: setattr(sdk.controller, "finalize_parent_action", None),
        lambda sdk: delattr(sdk.errors, "ConditionTimedoutError"),
        lambda sdk: delattr(sdk.module, "RunRecorder"),
        lambda sdk: delattr(sdk.module, "LocalController"),
    ],
)
def test_an_sdk_of_another_structure_stays_unmodified(
    change: Callable[[Sdk], None], sdk: Sdk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    change(sdk)
    before = {**vars(sdk.controller)}
    local_runs.install()
    assert {**vars(sdk.controller)} == before
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert record.message.startswith("local runs are not served: ")


def test_an_sdk_without_conditions_stays_unmodified(
    sdk: Sdk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sdk.module.LocalController = type("LocalController", (), {})
    local_runs.install()
    (record,) = caplog.records
    assert record.levelno == logging.INFO


@pytest.mark.parametrize("value", ["off", "OFF", "false", "no", "0"])
def test_off_installs_nothing(value: str, sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_SIDECAR_LOCAL_RUNS", value)
    before = {**vars(sdk.controller)}
    local_runs.install()
    assert {**vars(sdk.controller)} == before


def test_a_process_that_never_waits_imports_only_the_hook(start: Start) -> None:
    assert set(start("modules").result()) == {
        "flyte_sidecar",
        "flyte_sidecar.local_runs",
        "flyte_sidecar.local_runs.hook",
        "flyte_sidecar.local_runs.replaced_methods",
        "flyte_sidecar.local_runs.sdk",
    }


@of_releases(NEWEST, OLDEST)
def test_doctor_reports_whether_local_runs_are_served(python: Path, home: dict[str, str]) -> None:
    def status(**variables: str) -> tuple[str, str]:
        done = run(python, "-m", "flyte_sidecar", "doctor", env=home | variables)
        found = read_report(done.stdout)["local runs"]
        return found.status, found.detail.partition(" ")[0]

    assert status() == ("ok", "Flyte's")
    assert status(FLYTE_SIDECAR_LOCAL_RUNS="off") == ("warning", "Flyte's")
