"""The examples of `doctor` in docs/command-line.md; UPDATE_CAPTURES=1 replaces what they show."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import trustme

from tests.cli.conftest import started
from tests.cli.verbs import RunningVerb, Started, Terminal, ask
from tests.docs.blocks import claim
from tests.docs.test_command_line import NAME
from tests.e2e.process import Process
from tests.fake_runservice.model import Model
from tests.fake_runservice.server import Server

pytestmark = pytest.mark.posix

__all__ = ["started"]

EXAMPLES = claim(NAME, "console", "When something is wrong")
LOCAL, FLYTE = "flyte-sidecar doctor", "flyte-sidecar doctor --backend flyte"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / ".flyte").mkdir(parents=True)
    return folder


@pytest.fixture
def env(command: dict[str, str], home: Path) -> dict[str, str]:
    hidden = ("FLYTE_", "UCTL_", "XDG_", "NO_COLOR")
    kept = {name: value for name, value in command.items() if not name.startswith(hidden)}
    return {**kept, "HOME": str(home), "TERM": "xterm", "LOGNAME": "user", "PYTHONUTF8": "1"}


def lines_of(verb: RunningVerb, home: Path, **texts: str) -> list[str]:
    """Return the lines without what differs between machines, and without colour."""
    assert isinstance(verb, Terminal)
    lines = []
    while not lines or not lines[-1].startswith(("All checks", *"0123456789")):
        lines.append(re.sub(r"\x1b\[\d+m", "", verb.line()))
    python = "3.13.1 (/home/user/.venv/bin/python), SQLite 3.46.0"
    text = re.sub(r"(?m)^(ok +python +).*", rf"\g<1>{python}", "\n".join(lines))
    for real, example in {**texts, sys.prefix: "/home/user/.venv", str(home): "/home/user"}.items():
        text = text.replace(real, example)
    terminals = ", ".join(f"{name} is a terminal" for name in ("stdin", "stdout", "stderr"))
    text = re.sub(r"stdin is .*", terminals, text)
    text = re.sub(r"valid until [\d-]+", "valid until 2027-03-02", text)
    text = re.sub(r"protocol [\d.]+", "protocol 1.4", text)
    text = re.sub(r"[\d.,]+ GB free", "52.5 GB free", text)
    text = re.sub(r"mode 0600, [\w.-]+", "mode 0600, ext4", text)
    return [line for line in text.splitlines() if " extra " not in line and " pip " not in line]


def check_example(command: str, lines: list[str]) -> None:
    """Compare lines with the example of a command."""
    begin = f"$ {command}\n"
    [example] = [block for block in EXAMPLES if block.text.startswith(begin)]
    shown = "".join(f"{line}\n" for line in lines)
    if os.environ.get("UPDATE_CAPTURES"):
        example.replace(f"{begin}{shown}")
    else:
        assert f"{begin}{shown}" == example.text


def test_the_example_of_a_store_shows_what_a_terminal_shows(
    env: dict[str, str], home: Path, started: Started
) -> None:
    config = "admin:\n  endpoint: dns:///flyte.example.com\n"
    (home / ".flyte" / "config.yaml").write_text(config)
    state = home / ".local" / "state" / "flyte-sidecar"
    state.mkdir(parents=True)
    other = Process(state / "events.db")
    ask(other)
    other.end_input()
    other.status()
    started.append(Terminal(env, "doctor", cwd=home))
    check_example(LOCAL, lines_of(started[-1], home))
    other.clear()


def test_the_example_of_a_deployment_shows_what_a_terminal_shows(
    env: dict[str, str], home: Path, started: Started
) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(home / "ca.pem")
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    with Server(Model(), tls=(issued.private_key_pem.bytes(), chain)) as server:
        server.auth.tokens = ["valid"]
        (home / ".flyte" / "config.yaml").write_text(
            f"admin:\n  endpoint: dns:///{server.endpoint}\n  caCertFilePath: {home}/ca.pem\n"
            "task:\n  project: flytesnacks\n  domain: development\n"
        )
        env["PYTHON_KEYRING_BACKEND"] = "keyrings.alt.file.PlaintextKeyring"
        started.append(Terminal(env, "doctor", "--backend", "flyte", cwd=home))
        lines = lines_of(started[-1], home, **{server.endpoint: "flyte.example.com:443"})
    [first] = [place for place, line in enumerate(lines) if " config file " in line]
    check_example(FLYTE, lines[first:])
