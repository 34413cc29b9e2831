"""The Go client: its own checks and tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clients.conftest import BUILD_SECONDS
from tests.conftest import needs, run

pytestmark = pytest.mark.timeout(BUILD_SECONDS)


def test_the_client_is_formatted_as_gofmt_has_it(go: tuple[str, Path]) -> None:
    done = run(needs("gofmt"), "-l", ".", env=dict(os.environ), cwd=go[1])
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("words", [("vet",), ("test", "-race", "-count=1")])
def test_the_client_passes_its_own(
    words: tuple[str, ...], go: tuple[str, Path], command: dict[str, str]
) -> None:
    if "-race" in words:
        needs("gcc")
    done = run(go[0], *words, "./...", env=command, cwd=go[1], timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
