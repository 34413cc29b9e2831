"""The pictures of the pages: what real terminals show. `make pictures` takes them again.

The docstring of each test is the alternative text of its picture.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.inbox.conftest import Start, start
from tests.cli.verbs import answer, ask
from tests.conftest import ROOT, needs, run
from tests.docs.svg import svg
from tests.docs.test_command_line import Shell
from tests.docs.test_inbox import PROMPT
from tests.e2e.process import Process
from tests.lsp.e2e.conftest import StartNeovim, StartRun, start_neovim, start_process, start_run
from tests.lsp.e2e.emacs import EGLOT, Emacs
from tests.lsp.e2e.page import WORKFLOW
from tests.lsp.e2e.test_eglot import open_code_actions
from tests.lsp.e2e.test_neovim_plugin import READY
from tests.terminal import Terminal

__all__ = ["start", "start_neovim", "start_process", "start_run"]  # fixtures

PICTURES = ROOT / "docs" / "pictures"

DARK = "(setq frame-background-mode 'dark)"

OpenShell = Callable[..., Shell]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def store(home: Path) -> Path:
    """Path of the default store, in which all events of the pictures are."""
    folder = home / ".local" / "state" / "flyte-sidecar"
    folder.mkdir(parents=True, mode=0o700)
    return folder / "events.db"


@pytest.fixture
def env(command: dict[str, str], home: Path) -> dict[str, str]:
    shown = {"PS1": "$ ", "TZ": "UTC", "LOGNAME": "ann", "HOME": str(home), "PYTHONUTF8": "1"}
    hidden = ("FLYTE_", "XDG_", "NO_COLOR", "COLUMNS")
    return {name: value for name, value in command.items() if not name.startswith(hidden)} | shown


@pytest.fixture
def other(store: Path, env: dict[str, str]) -> Iterator[Process]:
    """A process that creates events, and answers some as `ann`."""
    other = Process(store, env=env)
    yield other
    other.clear()


@pytest.fixture
def user(command: dict[str, str], home: Path, store: Path) -> dict[str, str]:
    """Environment variables of an editor on the store."""
    kinds = ("CONFIG", "DATA", "STATE", "CACHE")
    homes = {"HOME": str(home), **{f"XDG_{kind}_HOME": str(home / kind) for kind in kinds}}
    return command | homes | {"FLYTE_SIDECAR_STORE": str(store)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").touch()
    (folder / "workflow.py").write_text(WORKFLOW)
    return folder


@pytest.fixture
def shell(env: dict[str, str], home: Path) -> Iterator[OpenShell]:
    """Open shells at terminals; they end with the test."""
    with ExitStack() as stack:

        def shell(**options: int) -> Shell:
            opened = stack.enter_context(closing(Shell(env, home, **options)))
            opened.wait_until_ready()
            return opened

        yield shell


@pytest.fixture
def events(other: Process, store: Path) -> None:
    """Events of three runs, each older than the next."""
    ask(other, "deploy", "training-7", prompt=PROMPT, promptType="markdown")
    ask(other, "deploy", "training-8", prompt="Deploy the model for France?")
    ask(other, "threshold", "training-8", expectedType="float", prompt="Which threshold?")
    ask(other, "review", "labels-3", prompt="Are the labels of batch 3 correct?")
    ask(other, "comment", "labels-3", expectedType="str", prompt="What must be improved?")
    with closing(sqlite3.connect(store)) as file, file:
        for rowid, minutes in enumerate((135, 48, 47, 12, 3), 1):
            created_at = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
            file.execute(
                "UPDATE event SET document = json_set(document, '$.createdAt', ?)"
                " WHERE rowid = (SELECT rowid FROM event ORDER BY rowid LIMIT 1 OFFSET ?)",
                (created_at.replace("+00:00", "Z"), rowid - 1),
            )


def save(
    name: str,
    terminal: Terminal,
    title: str,
    *,
    rows: slice = slice(None),
    replaced: Mapping[str, str] | None = None,
) -> None:
    picture = svg(terminal.cells[rows], title, replaced or {})
    (PICTURES / f"{name}.svg").write_text(picture)


def finish(shell: Shell) -> None:
    """Wait until the last command has ended."""
    shell.wait(lambda screen: screen.rstrip().endswith("\n$"))


def test_demo(shell: OpenShell) -> None:
    """flyte-sidecar demo: the messages of a run that waits and an editor that answers."""
    terminal = shell(columns=100, rows=100)
    terminal.enter("flyte-sidecar demo")
    finish(terminal)
    first, last = (
        next(number for number, line in enumerate(terminal.lines) if line.startswith(text))
        for text in ("# The run training-7 asks", "# The run asks for a number")
    )
    save("demo", terminal, "flyte-sidecar demo", rows=slice(first, last))


@pytest.mark.usefixtures("events")
def test_pending(shell: OpenShell) -> None:
    """flyte-sidecar pending: a table of waiting events with their type, age, expiry and prompt."""
    terminal = shell(columns=88)
    terminal.enter("flyte-sidecar pending")
    finish(terminal)
    save("pending", terminal, "flyte-sidecar pending")


@pytest.mark.usefixtures("events")
def test_answer(shell: OpenShell) -> None:
    """flyte-sidecar answer: a prompt with rendered markdown, the answer yes, and the outcome."""
    terminal = shell(columns=88)
    terminal.enter("flyte-sidecar answer training-7 deploy")
    terminal.wait_until_ready()
    terminal.enter("yes")
    finish(terminal)
    save("answer", terminal, "flyte-sidecar answer")


@pytest.mark.usefixtures("events")
def test_approve_all(shell: OpenShell) -> None:
    """flyte-sidecar approve --all: the two events that match, a confirmation, and the outcomes."""
    terminal = shell(columns=88)
    terminal.enter("flyte-sidecar approve --all --name deploy")
    terminal.wait_until_ready()
    terminal.enter("yes")
    finish(terminal)
    save("approve-all", terminal, "flyte-sidecar approve --all")


@pytest.mark.usefixtures("events")
def test_inbox(start: Start) -> None:
    """flyte-sidecar inbox: the waiting events, one of them just approved, and the keys."""
    terminal = start(columns=88, rows=16)
    terminal.wait_for("5 events wait")
    terminal.type("jjj")
    terminal.wait_for("> labels-3    review")
    terminal.type("y")
    terminal.wait_for("review of run labels-3 was approved")
    save("inbox", terminal, "flyte-sidecar inbox")


def test_watch(shell: OpenShell, other: Process) -> None:
    """flyte-sidecar watch: events that are created and answered, one change per line."""
    terminal = shell(columns=88, rows=24)
    ask(other, "deploy", "training-7", prompt="Deploy the model?")
    terminal.enter("flyte-sidecar watch")
    terminal.wait_for("Deploy the model?")
    ask(other, "threshold", "training-8", expectedType="float", prompt="Which threshold?")
    terminal.wait_for("Which threshold?")
    answer(other, True, "deploy", "training-7")
    terminal.wait_for("true")
    answer(other, 0.75, "threshold", "training-8")
    terminal.wait_for("0.75")
    save("watch", terminal, "flyte-sidecar watch")


@pytest.mark.usefixtures("events")
def test_doctor(shell: OpenShell, home: Path) -> None:
    """flyte-sidecar doctor: a line for each check of the installation and the store."""
    terminal = shell(columns=200)
    terminal.enter("flyte-sidecar doctor")
    finish(terminal)
    folders = {str(home): "/home/ann", sys.prefix: "/home/ann/.venv"}
    replaced = {re.escape(folder): replacement for folder, replacement in folders.items()}
    replaced |= {r"[\d.,]+ GB free": "52.5 GB free", r"\b200 columns": "120 columns"}
    replaced |= {r"python3 \(\d+\)": "python3 (4711)"}
    save("doctor", terminal, "flyte-sidecar doctor", replaced=replaced)


def test_notification(env: dict[str, str], home: Path) -> None:
    """A desktop notification: deploy of run training-7 waits for an answer."""
    for tool in ("Xvfb", "dunst", "gdbus", "import", "notify-send"):
        needs(tool)
    script = Path(__file__).with_name("notification.sh")
    command = (needs("dbus-run-session"), "bash", script, PICTURES / "notification.png")
    assert run(*command, env=env, cwd=home).returncode == 0


def test_neovim(start_neovim: StartNeovim, start_run: StartRun) -> None:
    """Neovim: next to flyte.new_condition, a lens shows a waiting run with Approve and Reject."""
    neovim = start_neovim()
    neovim.until(READY)
    start_run("weekly", name="threshold", expectedType="int", prompt="Which threshold?")
    start_run()
    neovim.wait_for("flyte 2")
    neovim.wait_for("Approve")
    save("neovim", neovim, "workflow.py - Neovim")


def test_emacs(user: dict[str, str], project: Path, start_run: StartRun) -> None:
    """Emacs with eglot: the code actions Approve and Reject of a waiting run."""
    start_run()
    with closing(Emacs(user, project, "eglot", f"{EGLOT}\n{DARK}")) as emacs:
        emacs.wait_for("[eglot:project]")
        open_code_actions(emacs)
        emacs.type("\t")  # lists the actions
        emacs.wait_for("Reject")
        save("emacs", emacs, "workflow.py - Emacs")
