"""The checks of the embedded store, and of which backend is selected."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE
from contextlib import closing
from pathlib import Path

import pytest

from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.cli.checks import store as store_module
from flyte_sidecar.cli.checks.finding import Finding
from flyte_sidecar.cli.checks.selection import check_selection
from flyte_sidecar.cli.checks.store import store_checks
from flyte_sidecar.events.model import NewEvent, Run
from flyte_sidecar.server.settings import Options
from tests.cli.checks.conftest import findings_of

pytestmark = pytest.mark.anyio


async def create(store: Path, name: str, project: str = "local") -> None:
    backend = LocalBackend(store)
    run = Run(None, project, "local", "r")
    await backend.create(NewEvent(run=run, name=name))
    await backend.close()


async def check(store: Path) -> dict[str, Finding]:
    return await findings_of(store_checks, Options(store=str(store)))


async def test_a_store_that_does_not_exist_is_not_created(store: Path) -> None:
    findings = await check(store)
    assert findings["store"].detail.endswith("it will be created on first use")
    assert "waiting" not in findings
    assert not os.listdir(store.parent)


async def test_a_store_is_described(store: Path) -> None:
    await create(store, "deploy")
    findings = await check(store)
    assert {finding.status for finding in findings.values()} == {"ok"}
    assert findings["store"].detail.startswith(f"{store} (option --store): 1 event waits, 0.")
    assert "mode 0600" in findings["store"].detail
    assert findings["processes"].detail == "using the store: no other"


async def test_other_processes_that_use_the_store_are_listed(store: Path) -> None:
    await create(store, "deploy")
    script = "import sys; file = open(sys.argv[1]); print(flush=True); input()"
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, store), stdin=PIPE, stdout=PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()
    assert f"({other.pid})" in (await check(store))["processes"].detail
    await other.communicate(b"\n")


@pytest.mark.posix
@pytest.mark.parametrize(
    ("make", "reason", "advice"),
    [
        (
            lambda store: store.write_text("my diary"),
            "is not a flyte-sidecar store",
            "another path",
        ),
        (lambda store: store.mkdir(), "it is a folder", "another path"),
        (lambda store: store.parent.chmod(0o777), "is not safe to use", "chmod 700 FOLDER"),
    ],
    ids=["another file", "a folder", "not private"],
)
async def test_a_store_that_cannot_be_used(
    make: object, reason: str, advice: str, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    store = folder / "events.db"
    make(store)  # type: ignore[operator]
    found = (await check(store))["store"]
    assert found.status == "failed"
    assert reason in found.detail
    assert advice in (found.advice or "")


async def test_events_of_other_projects_are_reported(store: Path) -> None:
    await create(store, "deploy", "elsewhere")
    scope = (await check(store))["scope"]
    assert scope.status == "warning"
    assert scope.detail.endswith("events of other scopes wait and are not shown: 1")
    assert scope.advice == "to see 1 of them, use --project elsewhere --domain local"


async def test_events_that_have_waited_for_long_are_reported(store: Path) -> None:
    await create(store, "forgotten")
    await create(store, "new")
    with closing(sqlite3.connect(store)) as db, db:
        change = "UPDATE event SET document = json_set(document, '$.createdAt', ?) WHERE name = ?"
        db.execute(change, ("2026-01-01T00:00:00Z", "forgotten"))
    waiting = (await check(store))["waiting"]
    assert waiting.status == "warning"
    assert waiting.detail == (
        "1 waited for more than 7 days, forgotten of run r (since 2026-01-01) first"
    )


async def test_a_disk_that_is_nearly_full_is_a_warning(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "FEW_FREE_BYTES", 1 << 62)
    disk = (await check(store))["disk"]
    assert (disk.status, disk.advice) == ("warning", "free space on this disk")


# Which backend is selected.


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config of Flyte that its command would use."""
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"admin": {"endpoint": "dns:///flyte.example"}}))
    monkeypatch.setenv("UCTL_CONFIG", str(path))
    return path


@pytest.mark.usefixtures("config")
async def test_a_config_of_a_deployment_that_is_not_used_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [found] = await check_selection(Options(store=""))
    assert found.status == "warning"
    assert (found.advice or "").startswith("use --backend flyte to see the events of flyte.example")
    monkeypatch.setenv("FLYTE_SIDECAR_BACKEND", "local")
    [found] = await check_selection(Options(store=""))
    assert (found.status, found.detail) == ("ok", "local (selected by FLYTE_SIDECAR_BACKEND)")


async def test_what_selects_the_backend_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = await check_selection(Options(store=""))
    assert (found.status, found.detail[:27]) == ("ok", "local, which is the default")
    [found] = await check_selection(Options(backend="all", store=""))
    assert found.detail == "all (option --backend)"
    monkeypatch.setenv("FLYTE_SIDECAR_BACKEND", "flyte")
    [found] = await check_selection(Options(backend="all", store=""))
    assert found.detail == "all (option --backend; FLYTE_SIDECAR_BACKEND is flyte)"
