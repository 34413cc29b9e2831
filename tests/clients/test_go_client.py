"""The checks and tests of the Go client."""

from __future__ import annotations

import os
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
