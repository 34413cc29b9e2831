"""Runs that the hook does not serve behave as without it."""

from __future__ import annotations

from pathlib import Path

from tests.local_runs.conftest import Start


def test_off_disables_the_feature(start: Start, store: Path) -> None:
    status, _, stderr = start("one", FLYTE_SIDECAR_LOCAL_RUNS="off").end()
    assert status == 1
    assert "EOF when reading a line" in stderr  # the SDK's own prompt
    assert "flyte-sidecar:" not in stderr
    assert not store.exists()


def test_a_store_that_cannot_be_used_leaves_the_prompt_of_the_sdk(
    start: Start, store: Path
) -> None:
    store.write_bytes(b"no store" * 1000)
    status, _, stderr = start("one").end()
    assert status == 1
    assert "EOF when reading a line" in stderr
    (notice,) = [line for line in stderr.splitlines() if line.startswith("flyte-sidecar:")]
    assert "is not a store" in notice or "not_a_store" in notice or str(store) in notice


def test_a_store_without_room_leaves_the_prompt_of_the_sdk(start: Start, tmp_path: Path) -> None:
    status, _, stderr = start("one", FLYTE_SIDECAR_STORE="/dev/full").end()
    assert status == 1
    assert "EOF when reading a line" in stderr
    assert "flyte-sidecar:" in stderr
