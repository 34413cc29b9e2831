"""Claims: of all processes of a user, one asks about an event."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyte_sidecar.lsp import claims
from flyte_sidecar.lsp.claims import Claims
from tests.conftest import TEST_TIMEOUT

CLAIMANT = """
import sys
from pathlib import Path
from flyte_sidecar.lsp.claims import Claims
claims = Claims(lambda: Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    print(claims.claim("b1", line.strip()), flush=True)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the claims, which does not exist yet."""
    return tmp_path / "state" / "flyte-sidecar" / "asked"


def test_one_of_many_processes_claims_each_event(folder: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMANT, str(folder.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    events = [f"e{number}" for number in range(50)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("".join(f"{event}\n" for event in events))
        process.stdin.flush()
    results = [process.communicate(timeout=TEST_TIMEOUT)[0].split() for process in processes]
    for answers in zip(*results, strict=True):
        assert sorted(answers) == ["False", "False", "False", "True"]


def test_a_claim_outlives_its_process(folder: Path) -> None:
    assert Claims(lambda: folder.parent).claim("b1", "e1")
    again = Claims(lambda: folder.parent)
    assert not again.claim("b1", "e1")
    assert again.claim("b1", "e2")
    assert again.claim("b2", "e1")


def test_claims_are_private(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0)
    try:
        Claims(lambda: folder.parent).claim("b1", "secret-run")
    finally:
        os.umask(before)
    [claim] = folder.iterdir()
    assert claim.stat().st_mode & 0o777 == 0o600
    assert claim.read_bytes() == b""
    assert "secret" not in claim.name
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700


def test_an_existing_folder_becomes_private(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    Claims(lambda: folder.parent).claim("b1", "e1")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    folder.parent.mkdir(parents=True)
    folder.symlink_to(other)
    with pytest.raises(PermissionError):
        Claims(lambda: folder.parent).claim("b1", "e1")
    assert list(other.iterdir()) == []


def test_a_claim_that_is_a_link_counts_as_claimed(folder: Path, tmp_path: Path) -> None:
    Claims(lambda: folder.parent).claim("b1", "e1")
    [claim] = folder.iterdir()
    claim.unlink()
    claim.symlink_to(tmp_path / "target")
    assert not Claims(lambda: folder.parent).claim("b1", "e1")
    assert not (tmp_path / "target").exists()


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Claims(lambda: tmp_path / "file").claim("b1", "e1")


def test_old_claims_are_removed_and_other_files_are_not(folder: Path) -> None:
    Claims(lambda: folder.parent).claim("b1", "old")
    [old] = folder.iterdir()
    Claims(lambda: folder.parent).claim("b1", "recent")
    [recent] = {*folder.iterdir()} - {old}
    note = folder / "note.txt"
    note.write_text("")
    now = time.time()
    for path, days in ((old, 29), (recent, 27), (note, 1000)):
        os.utime(path, (now - days * 86400, now - days * 86400))
    Claims(lambda: folder.parent).claim("b1", "new")
    remaining = {*folder.iterdir()}
    assert old not in remaining
    assert {recent, note} < remaining
    assert len(remaining) == 3


def test_the_number_of_claims_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MAX_CLAIMS", 10)
    monkeypatch.setattr(claims, "CLAIMS_PER_CLEANUP", 5)
    shared = Claims(lambda: folder.parent)
    for number in range(40):
        assert shared.claim("b1", f"e{number}")
        assert len([*folder.iterdir()]) <= 15
    assert not shared.claim("b1", "e39")
