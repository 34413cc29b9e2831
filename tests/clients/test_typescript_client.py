"""The checks and tests of the TypeScript client."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import BUILD_SECONDS
from tests.conftest import needs, run

pytestmark = pytest.mark.timeout(BUILD_SECONDS)


@pytest.mark.parametrize("script", ["check", "test"])
def test_the_client_passes_its_own_checks_and_tests(
    script: str, typescript_copy: Path, command: dict[str, str]
) -> None:
    npm = needs("npm")
    done = run(npm, "run", script, env=command, cwd=typescript_copy, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
