"""The terminal, the standard streams, the log, the extras and the SDK for local runs."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest

from flyte_sidecar.cli.checks.environment import check_log
from flyte_sidecar.cli.checks.extras import check_extras
from flyte_sidecar.cli.checks.finding import Finding
from flyte_sidecar.server.settings import Options

pytestmark = pytest.mark.anyio


async def log(path: Path | None) -> Finding:
    [finding] = await check_log(Options(store="", log_file=path and str(path)))
    return finding


async def test_the_log_file_is_checked_and_not_created(tmp_path: Path) -> None:
    assert (await log(None)).detail == "stderr, level warning"
    assert (await log(tmp_path / "log")).status == "ok"
    assert not os.listdir(tmp_path)
    for path in (tmp_path, tmp_path / "missing" / "log"):
        found = await log(path)
        assert (found.status, found.advice) == ("failed", "select another file: --log-file PATH")


async def test_every_extra_is_reported_with_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = {finding.name: finding for finding in await check_extras(Options(store=""))}
    extras = metadata.metadata("flyte-sidecar").get_all("Provides-Extra")
    assert extras
    assert set(findings) == {f"extra {extra}" for extra in extras}
    assert findings["extra flyte"].status == "ok"
    monkeypatch.setattr(metadata, "version", _not_installed)
    for backend, status in (("local", "skipped"), ("flyte", "warning")):
        options = Options(backend=backend, store="")
        [flyte, *_] = await check_extras(options)
        assert (flyte.name, flyte.status) == ("extra flyte", status)
        assert flyte.advice == "pip install 'flyte-sidecar[flyte]' adds it"


def _not_installed(package: str) -> str:
    raise metadata.PackageNotFoundError(package)
