"""The checks and tests of the Go client."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.clients.conftest import BUILD_SECONDS
from tests.conftest import needs, run

pytestmark = pytest.mark.timeout(BUILD_SECONDS)


def test_the_client_is_formatted_by_gofmt(go: tuple[str, Path]) -> None:
    done = run(needs("gofmt"), "-l", ".", env=dict(os.environ), cwd=go[1])
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("arguments", [("vet",), ("test", "-race", "-count=1", "-timeout=5m")])
def test_the_client_passes_its_own_checks_and_tests(
    arguments: tuple[str, ...], go: tuple[str, Path], command: dict[str, str]
) -> None:
    if "-race" in arguments:
        needs("gcc")
    done = run(go[0], *arguments, "./...", env=command, cwd=go[1], timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_program_in_the_readme_runs(
    go: tuple[str, Path], command: dict[str, str], tmp_path: Path
) -> None:
    [program] = re.findall(r"^```go\n(.*?)^```$", (go[1] / "README.md").read_text(), re.M | re.S)
    (tmp_path / "main.go").write_text(program)
    module = "github.com/flyte-sidecar/flyte-sidecar/clients/go"
    replacement = ("-require", f"{module}@v0.0.0", "-replace", f"{module}={go[1]}")
    event = '{"runName": "r1", "name": "deploy", "prompt": "Deploy?"}'
    for arguments in (
        (go[0], "mod", "init", "example.org/approve"),
        (go[0], "mod", "edit", *replacement),
        ("flyte-sidecar", "call", "events.create", event),
        (go[0], "run", "."),
    ):
        done = run(*arguments, env=command, cwd=tmp_path, timeout=BUILD_SECONDS)
        assert done.returncode == 0, done.stderr
    assert done.stdout == "r1 deploy Deploy?\n"
