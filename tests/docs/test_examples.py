"""The programs in docs/examples run, with the clients of this repository."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import BUILD_SECONDS, NODE, go, typescript
from tests.conftest import ROOT, needs, run
from tests.docs.blocks import claim

__all__ = ["go", "typescript"]  # fixtures

Environment = dict[str, str]

EXAMPLES = ROOT / "docs" / "examples"
MODULE = "github.com/flyte-sidecar/flyte-sidecar/clients/go"

pytestmark = [pytest.mark.posix, pytest.mark.timeout(BUILD_SECONDS)]

[ONE_EVENT] = claim("docs/getting-started.md", "console", "Create an event")


@pytest.fixture
def event(command: Environment, tmp_path: Path) -> None:
    """Create the event as the page does."""
    line = ONE_EVENT.text.splitlines()[0].removeprefix("$ ")
    assert run("sh", "-c", line, env=command, cwd=tmp_path).returncode == 0


def output_of(*command_line: str | Path, env: Environment, folder: Path) -> list[str]:
    """Return the lines that a program prints in a folder."""
    done = run(*command_line, env=env, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.usefixtures("event")
def test_the_first_python_program_answers_the_event(command: Environment, tmp_path: Path) -> None:
    printed = output_of(
        sys.executable, EXAMPLES / "python" / "answer.py", env=command, folder=tmp_path
    )
    assert printed == ["deploy PAUSED <class 'bool'>", "SUCCEEDED True"]


@pytest.fixture
def node(typescript: Path, tmp_path: Path) -> Path:
    """A folder with the programs for Node, in which the package is installed."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "flyte-sidecar").symlink_to(typescript)
    shutil.copytree(EXAMPLES / "node", tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.usefixtures("event")
def test_the_first_node_program_answers_the_event(command: Environment, node: Path) -> None:
    printed = output_of(needs("node", NODE), "answer.mjs", env=command, folder=node)
    assert printed == ["r1 deploy Deploy the model?", "SUCCEEDED true"]


def test_the_examples_of_the_node_page_run(command: Environment, node: Path) -> None:
    printed = output_of(needs("node", NODE), "guide.mjs", env=command, folder=node)
    assert printed[:9] == [
        *("deploy bool Deploy the model?", "rate float Approve?", "steps int Approve?"),
        *("publish bool Approve?", "notify bool Approve?"),
        *("SUCCEEDED true", "1152921504606846976n", "the rate is 3"),
        "created deploy SUCCEEDED",
    ]
    assert printed[-4:] == [
        *("nobody answered in time", "already answered with true"),
        *("approved publish", "approved notify"),
    ]


@pytest.fixture(scope="module")
def go_programs(go: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built Go programs."""
    folder = tmp_path_factory.mktemp("go-examples")
    shutil.copytree(EXAMPLES / "go", folder, dirs_exist_ok=True)
    required = f"module example.com/examples\ngo 1.24\nrequire {MODULE} v0.0.0\n"
    (folder / "go.mod").write_text(f"{required}replace {MODULE} => {go[1]}\n")
    (folder / "bin").mkdir()
    built = run(go[0], "build", "-o", "bin/", "./...", env=None, cwd=folder, timeout=BUILD_SECONDS)
    assert built.returncode == 0, built.stderr
    return folder / "bin"


@pytest.mark.usefixtures("event")
def test_the_first_go_program_answers_the_event(
    command: Environment, go_programs: Path, tmp_path: Path
) -> None:
    printed = output_of(go_programs / "answer", env=command, folder=tmp_path)
    assert printed == ["r1 deploy Deploy the model?", "SUCCEEDED true"]


def test_the_examples_of_the_go_page_run(
    command: Environment, go_programs: Path, tmp_path: Path
) -> None:
    printed = output_of(go_programs / "guide", env=command, folder=tmp_path)
    assert printed[:6] == [
        *("deploy bool Deploy the model?", "rate float Approve?"),
        *("publish bool Approve?", "notify bool Approve?", "SUCCEEDED true", "rate: 3.0"),
    ]
    assert printed[6:8] == ["the answer is true", "created deploy SUCCEEDED"]
    assert printed[-4:] == [
        *("nobody answered in time", "already answered with true"),
        *("approved publish", "approved notify"),
    ]


def test_the_examples_of_the_python_page_run(command: Environment, tmp_path: Path) -> None:
    guide, process = (EXAMPLES / "python" / name for name in ("guide.py", "process.py"))
    assert output_of(sys.executable, guide, env=command, folder=tmp_path) == [
        *("deploy PAUSED bool", "rate PAUSED float", "publish PAUSED bool", "SUCCEEDED True"),
        *("nobody has answered in time", "already answered with True", "approved publish"),
    ]
    (tmp_path / "events.db").unlink()
    assert output_of(sys.executable, process, env=command, folder=tmp_path) == [
        *("SUCCEEDED True", "already answered with True", "created deploy"),
    ]


def test_the_examples_of_the_shell_page_run(command: Environment, tmp_path: Path) -> None:
    needs("jq")
    done = run("bash", EXAMPLES / "shell" / "guide.sh", env=command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = re.sub(r" by .*", "", done.stdout)
    assert printed.splitlines() == [
        *("the rate is 0.5", "training-7 deploy: Deploy the model?"),
        *("training-8 deploy: Deploy the other model?",),
        *("deploy of run training-7 was approved", "deploy of run training-8 was approved"),
        *("not rejected: exit status 1", "SUCCEEDED", "deploy: true", "rate: 0.5"),
    ]
