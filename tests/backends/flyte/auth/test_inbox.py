"""A login at a deployment, in the full-screen inbox."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.flyte.auth.conftest import PERSON
from tests.backends.flyte.auth.test_processes import options
from tests.terminal import Terminal

pytestmark = pytest.mark.posix

__all__ = ["options"]  # a fixture


def test_the_inbox_shows_the_login_and_afterwards_the_events(
    options: list[str], env: dict[str, str], ca_file: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "flyte_sidecar", "inbox", *options]
    terminal = Terminal(command, {**env, "BROWSER": ""}, tmp_path, columns=80)
    try:
        terminal.wait(lambda text: re.search(r"shows the\s+code \S+\s", text))
        [url] = re.findall(r"https://\S+", terminal.text)
        subprocess.run([sys.executable, PERSON, ca_file, url], check=True)
        terminal.wait(lambda text: "deploy" in text and "https://" not in text)
    finally:
        terminal.close()
