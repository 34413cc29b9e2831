"""The files of services."""

from __future__ import annotations

import os
import plistlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.cli.arguments.parser import parse
from flyte_sidecar.cli.arguments.values import UsageError
from flyte_sidecar.cli.notify.service_files import service_file
from flyte_sidecar.cli.verbs import notify
from tests.conftest import needs, run

AWKWARD = [
    "/opt/my tools/100% \"q\" 'a' \\n/run",
    "$HOME",
    "${A}",
    "a;b",
    "%h %%",
    "é\tü",
    "",
    "@x",
]


@pytest.mark.posix
def test_systemd_runs_exactly_the_arguments(tmp_path: Path) -> None:
    program = tmp_path / "a b 100% ü" / "run"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    unit = tmp_path / "flyte-sidecar-notify.service"
    content = service_file([str(program), *AWKWARD], str(program.parent), "linux").content
    assert f"\nWorkingDirectory={tmp_path}/a b 100%% ü\n" in content
    unit.write_text(content)
    env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = run(needs("systemd-analyze"), "--user", "verify", unit, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    [line] = [line for line in content.splitlines() if line.startswith("ExecStart=")]
    assert as_systemd_parses(line.removeprefix("ExecStart=")) == [str(program), *AWKWARD]


def as_systemd_parses(line: str) -> Sequence[str]:
    """Return the arguments: quotes and C escapes, then specifiers and variables."""
    arguments = [
        argument.encode().decode("unicode_escape").encode("latin-1").decode()
        for argument in re.findall(r'"((?:[^"\\]|\\.)*)"(?: |$)', line)
    ]
    for argument in arguments:
        assert "%" not in argument.replace("%%", "")
        assert "$" not in argument.replace("$$", "")
    return [argument.replace("%%", "%").replace("$$", "$") for argument in arguments]


def test_launchd_runs_exactly_the_arguments() -> None:
    file = service_file(AWKWARD, "/a %b", "darwin")
    content = plistlib.loads(file.content.encode())
    assert content["ProgramArguments"] == AWKWARD
    assert content["WorkingDirectory"] == "/a %b"
    assert content["KeepAlive"] == {"SuccessfulExit": False}
    assert content["RunAtLoad"] is True
    assert file.path == "Library/LaunchAgents/flyte-sidecar-notify.plist"


def test_another_platform_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="Task Scheduler"):
        service_file(["a"], platform="win32")


@pytest.mark.parametrize("folder", ["/a\nExecStartPre=/bin/evil", "/a ", "/a\\"])
def test_a_folder_that_would_change_the_unit_is_a_usage_error(folder: str) -> None:
    with pytest.raises(UsageError, match="current folder"):
        service_file(["a"], folder, "linux")


def test_the_service_has_the_same_options(command: dict[str, str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    arguments: list[Any] = ["--webhook", "https://h.example/?a=%20", "--after", "1h30m"]
    arguments += ["--webhook-secret-file", "secret", "--remind", "0.5s", "--run", "x *"]
    arguments += ["--exec", "a 'b c'", "--desktop", "--project", "p"]
    done = run("flyte-sidecar", "notify", *arguments, "--print-service", env=command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "systemctl --user enable --now flyte-sidecar-notify" in done.stderr
    assert f"\nWorkingDirectory={tmp_path}\n" in done.stdout
    [line] = [line for line in done.stdout.splitlines() if line.startswith("ExecStart=")]
    program, *rest = as_systemd_parses(line.removeprefix("ExecStart="))
    assert os.path.isabs(program)
    store = command["FLYTE_SIDECAR_STORE"]
    assert rest == [
        *("notify", "--backend", "local", "--store", store, "--project", "p"),
        *("--exec=a 'b c'", "--webhook=https://h.example/?a=%20"),
        *(f"--webhook-secret-file={secret}", "--after=5400s", "--remind=0.500000s"),
        *("--run=x *", "--log-level=info", "--desktop"),
    ]


def test_a_secret_that_a_service_would_not_get_is_a_usage_error(command: dict[str, str]) -> None:
    env = {**command, "FLYTE_SIDECAR_WEBHOOK_SECRET": "s3cret"}
    done = run("flyte-sidecar", "notify", "--print-service", env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert "use --webhook-secret-file" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_timeout_longer_than_any_lease_is_a_usage_error() -> None:
    _, options, arguments = parse(["notify", "--timeout", "1h", "--print-service"])
    with pytest.raises(UsageError, match="--timeout must be at most 40m"):
        notify.run(options, **arguments)
