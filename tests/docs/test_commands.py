"""The commands of pages that no other test runs: their verbs, options and packages exist."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable
from itertools import dropwhile

import pytest

from flyte_sidecar.cli.arguments.parser import parse
from flyte_sidecar.cli.arguments.verb_table import GROUPS
from tests.conftest import ROOT
from tests.docs.blocks import Block, all_blocks

LANGUAGES = ("console", "shell", "sh", "bash")

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REPOSITORY = "https://github.com/flyte-sidecar/flyte-sidecar"
MODULE = "github.com/flyte-sidecar/flyte-sidecar/clients/go"
EXTENSION = "flyte-sidecar.flyte-sidecar"
FLYTE_COMMANDS = {"run", *PROJECT["entry-points"]["flyte.plugins.cli.commands"]}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
SCRIPTS = {
    script
    for package in ("typescript", "vscode")
    for script in json.loads((ROOT / "clients" / package / "package.json").read_text())["scripts"]
}

Words = list[str]


def command_lines(block: Block) -> list[str] | None:
    """Return the commands of a block that consists of nothing else."""
    text = block.text.replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if block.language == "console":
        if not all(line.startswith("$ ") for line in lines):
            return None
        lines = [line.removeprefix("$ ") for line in lines]
    return lines if all(map(is_known, lines)) else None


def is_known(line: str) -> bool:
    """Return whether a line consists of commands that this module can check."""
    return all(words and words[0] in PROGRAMS for words in commands(line))


def commands(line: str) -> list[Words]:
    """Return the words of each command of a line, without variables and redirections."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, found = True, [Words()]
    for word in lexer:
        if word in ("|", "&&", ";", "&"):
            found.append([])
        elif not re.fullmatch(r"[<>]\S*", word):
            found[-1].append(word)
    found = [[*dropwhile(lambda word: re.match(r"\w+=", word), words)] for words in found]
    return [words for words in found if words]


def sidecar(arguments: Words) -> None:
    """Check that the verb and its options exist, and that their values are valid."""
    if "--help" not in arguments:
        parse(arguments)  # raises SystemExit


def requirements(arguments: Words) -> None:
    for argument in arguments:
        if argument.startswith("-"):
            continue
        name, extras = re.fullmatch(r"([$\w.-]+)(?:\[([\w,]+)\])?", argument).groups()  # type: ignore[union-attr]
        assert name in (PROJECT["name"], "flyte", ".", "$CLONE"), argument
        assert {*(extras or "").split(",")} <= {"", *PROJECT["optional-dependencies"]}, argument


def pip(arguments: Words) -> None:
    assert arguments[0] in ("install", "uninstall")
    requirements(arguments[1:])


def uv(arguments: Words) -> None:
    kind, verb, *packages = arguments
    assert (kind, verb) == ("pip", "install") or kind == "tool"
    assert verb in ("install", "upgrade", "uninstall")
    requirements(packages)


def pipx(arguments: Words) -> None:
    if arguments[0] == "run":
        launched(arguments[1:])
    else:
        assert arguments[0] in ("install", "upgrade", "uninstall")
        requirements(arguments[1:])


def launched(arguments: Words) -> None:
    """Check a command that a launcher downloads and runs."""
    while arguments[0].startswith("-"):
        if arguments.pop(0) in ("--from", "--spec", "--with"):
            requirements([arguments.pop(0)])
    assert arguments[0].partition("@")[0] == PROJECT["name"]
    sidecar(arguments[1:])


def npm(arguments: Words) -> None:
    match arguments:
        case ["run", script, *_]:
            assert script in SCRIPTS
        case ["install" | "ci" | "test" | "uninstall", *packages]:
            names = [name for name in packages if not name.startswith("-") and "/" not in name]
            assert set(names) <= {"flyte-sidecar"}
        case ["login"] | ["publish", *_]:
            pass
        case _:
            raise AssertionError(arguments)


def go(arguments: Words) -> None:
    if arguments[0] == "get":
        assert arguments[1].partition("@")[0] == MODULE
    else:
        assert arguments[0] in ("doc", "mod", "run", "test")


def make(arguments: Words) -> None:
    assert {word for word in arguments if "=" not in word} <= TARGETS


def code(arguments: Words) -> None:
    option, extension = arguments
    assert option == "--install-extension"
    assert extension == EXTENSION or extension.endswith(".vsix")


def git(arguments: Words) -> None:
    assert arguments[0] != "clone" or REPOSITORY in arguments


def flyte(arguments: Words) -> None:
    assert arguments[0] in FLYTE_COMMANDS


def anything(arguments: Words) -> None:
    """Accept all arguments of a program that is not of this project."""


PROGRAMS: dict[str, Callable[[Words], None]] = {
    **{"flyte-sidecar": sidecar, "uvx": launched, "npx": launched, "uv": uv, "pip": pip},
    **{"pipx": pipx, "npm": npm, "go": go, "make": make, "code": code, "git": git},
    "flyte": flyte,
    **dict.fromkeys(("cd", "export", "gh", "ln", "mkdir", "node", "nvim", "python"), anything),
}

CHECKED = [block for block in all_blocks() if block.language in LANGUAGES and command_lines(block)]


@pytest.mark.parametrize("block", CHECKED, ids=str)
def test_the_commands_exist(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTE_ADMIN_ENDPOINT", "flyte.example.com")
    for line in command_lines(block) or []:
        for program, *arguments in commands(line):
            PROGRAMS[program](arguments)


def test_a_page_describes_each_verb() -> None:
    pages = "\n".join(path.read_text("utf-8") for path in (ROOT / "docs").rglob("*.md"))
    verbs = [verb.name for group in GROUPS for verb in group.verbs]
    missing = [name for name in verbs if not re.search(rf"flyte-sidecar {name}\b", pages)]
    assert missing == []
