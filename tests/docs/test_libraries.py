"""The examples of docs/libraries.md, run by the programs that they are for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import needs, run
from tests.docs.blocks import Block, blocks_of, claim

pytestmark = pytest.mark.timeout(600)

HERE = Path(__file__).parent
BUILD_SECONDS = 500

PAGE = "docs/libraries.md"
EXAMPLES = {block.headings[-1]: block for block in blocks_of(PAGE)}
LANGUAGES = {block.language for block in blocks_of(PAGE)}
CLAIMED: list[Block] = [block for language in sorted(LANGUAGES) for block in claim(PAGE, language)]

ProgramCommand = list[str | Path]
Environment = dict[str, str]


def example(heading: str) -> str:
    return EXAMPLES[heading].text


# Scripts that an editor runs after its example. Like the programs, each prints one line.
VIM_DRIVER = """
function! s:Done(response) abort
  let line = has_key(a:response, 'result')
        \\ ? json_encode(a:response.result.payload) : a:response.error.data.kind
  call writefile([line], '/dev/stdout')
  qall!
endfunction
call FlyteWait($RUN, $NAME, str2float($SECONDS), function('s:Done'))
while v:true
  sleep 10m
endwhile
"""
NEOVIM_DRIVER = """
local done = false
FlyteWait(vim.env.RUN, vim.env.NAME, tonumber(vim.env.SECONDS), function(err, event)
  io.stdout:write(err and err.data.kind or tostring(event.payload), '\\n')
  done = true
end)
vim.wait(1e8, function() return done end, 10)
"""
EMACS_DRIVER = """
(let (line)
  (flyte-wait (getenv "RUN") (getenv "NAME") (string-to-number (getenv "SECONDS"))
              (lambda (err event)
                (setq line (if err (plist-get (plist-get err :data) :kind)
                             (if (eq (plist-get event :payload) t) "true" "false")))))
  (while (not line) (accept-process-output nil 0.01))
  (princ line)
  (terpri))
"""


def vim(folder: Path) -> ProgramCommand:
    tool = needs("vim", (9, 0))
    (folder / "wait.vim").write_text(example("Vim") + VIM_DRIVER)
    return [tool, "-u", "NONE", "-N", "-es", "-S", folder / "wait.vim"]


def neovim(folder: Path) -> ProgramCommand:
    tool = needs("nvim", (0, 11))
    (folder / "wait.lua").write_text(example("Neovim") + NEOVIM_DRIVER)
    return [tool, "-l", folder / "wait.lua"]


def emacs(folder: Path) -> ProgramCommand:
    tool = needs("emacs", (28, 2))
    (folder / "wait.el").write_text(example("Emacs") + EMACS_DRIVER)
    return [tool, "-Q", "--batch", "-l", folder / "wait.el"]


def node(folder: Path) -> ProgramCommand:
    for name in ("package.json", "package-lock.json"):
        (folder / name).write_bytes((HERE / "node" / name).read_bytes())
    build(folder, needs("npm"), "ci", "--silent")
    (folder / "wait.mjs").write_text(example("vscode-jsonrpc"))
    return [needs("node", (20,)), folder / "wait.mjs"]


def java(folder: Path) -> ProgramCommand:
    tool = needs("java", (17,))
    build(
        folder,
        *(needs("mvn"), "--quiet", "--batch-mode", "--file", HERE / "java" / "pom.xml"),
        *("dependency:copy-dependencies", f"-DoutputDirectory={folder}"),
    )
    (folder / "Wait.java").write_text(example("LSP4J"))
    return [tool, "-cp", folder / "*", folder / "Wait.java"]


def jrpc2(folder: Path) -> ProgramCommand:
    return go(folder, "jrpc2")


def sourcegraph(folder: Path) -> ProgramCommand:
    return go(folder, "sourcegraph/jsonrpc2")


def go(folder: Path, heading: str) -> ProgramCommand:
    tool = needs("go", (1, 24))
    for name in ("go.mod", "go.sum"):
        (folder / name).write_bytes((HERE / "go" / name).read_bytes())
    (folder / "main.go").write_text(example(heading))
    build(folder, tool, "build", "-o", "wait", ".")
    return [folder / "wait"]


def rust(folder: Path) -> ProgramCommand:
    tool = needs("cargo", (1, 85))
    (folder / "src").mkdir()
    (folder / "Cargo.toml").write_bytes((HERE / "rust" / "Cargo.toml").read_bytes())
    (folder / "src" / "main.rs").write_text(example("lsp-server"))
    build(folder, tool, "build", "--quiet")
    return [folder / "target" / "debug" / "wait"]


def build(folder: Path, *arguments: str | Path) -> None:
    done = run(*arguments, env=dict(os.environ), cwd=folder, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


PROGRAMS = [vim, neovim, emacs, node, java, jrpc2, sourcegraph, rust]


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_example_waits_for_an_answer_until_its_timeout(
    program: Callable[[Path], ProgramCommand], command: Environment, tmp_path: Path
) -> None:
    start = program(tmp_path)

    def waited(name: str, seconds: str) -> str:
        # Editors read these values from the environment, programs from their arguments.
        env = {**command, "RUN": "r1", "NAME": name, "SECONDS": seconds}
        arguments = () if program in (vim, neovim, emacs) else ("r1", name, seconds)
        done = run(*start, *arguments, env=env, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().strip('"')

    def call(method: str, **params: object) -> None:
        arguments = ("call", method, json.dumps({"runName": "r1", **params}))
        done = run("flyte-sidecar", *arguments, env=command)
        assert done.returncode == 0, done.stderr

    call("events.create", name="deploy")
    assert waited("deploy", "0.1") == "deadline_exceeded"
    call("events.signal", name="deploy", payload=True)
    assert waited("deploy", "60") == "true"


def test_every_example_of_the_page_is_run() -> None:
    assert len(PROGRAMS) == len(CLAIMED) == len(EXAMPLES)
