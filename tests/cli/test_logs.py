"""Log files."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
from pathlib import Path

import pytest

from flyte_sidecar.cli.logs import LineHandler
from tests.conftest import IS_ROOT, run

pytestmark = pytest.mark.posix

Environment = dict[str, str]


def serve(log: Path, command: Environment) -> subprocess.CompletedProcess[str]:
    request = '{"jsonrpc":"2.0","method":"events.get","params":{}}\n'
    arguments = ("flyte-sidecar", "--log-level", "info", "--log-file", log)
    return run(*arguments, env=command, input=request)


@pytest.mark.parametrize("bits", [None, 0o600, 0o644, 0o666])
def test_a_log_file_is_private_to_its_user(
    tmp_path: Path, command: Environment, bits: int | None
) -> None:
    log = tmp_path / "log"
    if bits is not None:
        log.write_text("before\n")
        log.chmod(bits)
    done = serve(log, command)
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    lines = log.read_text().splitlines()
    assert lines[:-1] == ([] if bits is None else ["before"])
    assert "events.get" in lines[-1]


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "link", "dangling link"])
def test_a_log_file_that_is_not_a_regular_file_is_rejected_without_blocking(
    tmp_path: Path, command: Environment, kind: str
) -> None:
    log = tmp_path / "log"
    if kind == "fifo":
        os.mkfifo(log)
    elif kind == "folder":
        log.mkdir()
    elif kind == "device":
        log = Path("/dev/zero")
    else:
        log.symlink_to(tmp_path / "elsewhere")
        if kind == "link":
            (tmp_path / "elsewhere").touch()
    done = serve(log, command)
    assert (done.returncode, done.stdout) == (1, "")
    sentence = f"cannot write the log: {log} is not a regular file"
    assert done.stderr == f"flyte-sidecar: {sentence}\n"


def test_a_line_contains_nothing_that_controls_a_terminal() -> None:
    reading, writing = os.pipe()
    handler = LineHandler(writing)
    handler.emit(logging.makeLogRecord({"msg": "a\x1b[2Jb\x9b\u202ec\ud800\nd\re é"}))
    with open(reading, "rb") as log:
        assert log.readline() == "a\\x1b[2Jb\\x9b\\u202ec\\ud800 | d\\re é\n".encode()
    handler.close()
    os.close(writing)


def test_the_null_device_is_accepted_and_left_unchanged(command: Environment) -> None:
    before = os.stat(os.devnull).st_mode
    done = serve(Path(os.devnull), command)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert os.stat(os.devnull).st_mode == before


@pytest.mark.skipif(not IS_ROOT, reason="only root can make files of another user")
def test_a_log_file_of_another_user_is_rejected(tmp_path: Path, command: Environment) -> None:
    log = tmp_path / "log"
    log.touch(0o666)
    os.chown(log, 65534, 65534)
    done = serve(log, command)
    assert done.returncode == 1
    assert f"{log} belongs to another user" in done.stderr
    assert log.read_text() == ""
