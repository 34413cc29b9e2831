"""Which config file is used, and which files are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flyte_sidecar.backends.flyte.config import ConfigError
from flyte_sidecar.backends.flyte.config.search import find
from tests.backends.flyte.config.conftest import Load
from tests.conftest import IS_ROOT

ADMIN = "admin:\n  endpoint: h.example\n"


def write(path: str | Path, content: str | bytes = ADMIN) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content.encode() if isinstance(content, str) else content)


def found(environment: dict[str, str] | None = None) -> str | None:
    file = find(None, environment or {}).file
    return None if file is None else file.path


@pytest.mark.usefixtures("home")
def test_there_may_be_no_file() -> None:
    assert find(None, {}).file is None
    assert find(None, {}).skipped == ()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("server:\n  port: 80\n", "none of Flyte's keys"),
        ("", "none of Flyte's keys"),
        ("just words\n", "none of Flyte's keys"),
        ("admin: true\ntask: build\n", "none of Flyte's keys"),
        ("image:\n  builder: local\n", "none of Flyte's keys"),
        ("admin: {endpoint: {a\n", "is not YAML"),
        ("---\na: 1\n---\nb: 2\n", "is not YAML"),
        (b"\xff\xff", "is not UTF-8"),
        (b"#" * (1 << 20), "is larger than 256 KiB"),
    ],
)
def test_a_file_of_another_program_is_skipped(content: str | bytes, says: str, file: Path) -> None:
    write("config.yaml", content)
    write(file)
    result = find(None, {})
    assert result.file is not None
    assert result.file.path == str(file)
    (skipped,) = result.skipped
    assert skipped.startswith(os.path.abspath("config.yaml"))
    assert says in skipped


@pytest.mark.usefixtures("home")
def test_a_folder_named_config_yaml_is_skipped(file: Path) -> None:
    Path("config.yaml").mkdir()
    write(file)
    assert found() == str(file)


@pytest.mark.parametrize("content", [ADMIN, "profiles:\n  a:\n    task:\n      project: p\n"])
@pytest.mark.usefixtures("home")
def test_a_file_in_this_folder_is_used_if_it_has_one_of_the_keys(content: str, file: Path) -> None:
    write("config.yaml", content)
    write(file)
    assert found() == os.path.abspath("config.yaml")


@pytest.mark.parametrize("content", ["a: b\n", "", "image: {builder: local}\n"])
def test_a_file_without_the_keys_ends_the_search_in_the_folders_of_flyte(
    content: str, home: Path, file: Path
) -> None:
    write(file)
    write(home / ".union" / "config.yaml", content)
    assert found() == str(home / ".union" / "config.yaml")


@pytest.mark.parametrize(
    "content", ["admin: {", "- a\n", "x\n", "admin: x\n", "task: [a]\n", b"\xff"]
)
@pytest.mark.parametrize("name", ["work/.flyte/config.yaml", "home/.flyte/config.yaml"])
def test_a_broken_file_of_flyte_is_an_error(content: str | bytes, name: str, home: Path) -> None:
    path = home.parent / name
    write(path, content)
    with pytest.raises(ConfigError, match=f"{path}.*, line 1: "):
        find(None, {})


@pytest.mark.parametrize("variable", ["UCTL_CONFIG", "FLYTECTL_CONFIG"])
def test_a_file_that_a_variable_names_must_exist(variable: str, file: Path) -> None:
    write(file)
    with pytest.raises(ConfigError, match=rf"{variable}: .*/missing\.yaml: cannot be read"):
        find(None, {variable: str(file.parent / "missing.yaml")})
    assert found({variable: "~/.flyte/config.yaml"}) == str(file)


def test_a_chosen_file_precedes_all(file: Path, load_config: Load) -> None:
    write("config.yaml", "admin: {endpoint: a.example}")
    write(file, "admin: {endpoint: b.example}")
    write("chosen.yaml", "admin: {endpoint: c.example}")
    config = load_config({"UCTL_CONFIG": str(file)}, config="chosen.yaml")
    assert config.deployment.endpoint == "c.example"
    assert config.deployment.config_file == os.path.abspath("chosen.yaml")


@pytest.mark.parametrize("chosen", ["missing.yaml", "", "no/such/folder.yaml", "a\0b"])
@pytest.mark.usefixtures("home")
def test_a_chosen_file_must_exist(chosen: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find(chosen, {})


@pytest.mark.posix
@pytest.mark.usefixtures("home")
def test_a_link_is_followed_and_a_broken_one_is_none(file: Path) -> None:
    write("elsewhere.yaml")
    Path(".flyte").mkdir()
    Path(".flyte/config.yaml").symlink_to(os.path.abspath("elsewhere.yaml"))
    assert found() == os.path.abspath(".flyte/config.yaml")
    Path("elsewhere.yaml").unlink()
    write(file)
    assert found() == str(file)


def test_a_file_named_like_a_folder_of_flyte_is_none(home: Path, file: Path) -> None:
    write(file)
    write(".flyte", "")
    write(home / ".union", "")
    assert found() == str(file)


def repository(root: Path) -> None:
    write(root / ".git" / "HEAD", "ref: refs/heads/main\n")
    write(root / ".flyte" / "config.yaml")


def test_the_innermost_repository_counts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outer = home.parent / "work"
    repository(outer)
    write(outer / "inner" / ".git", "gitdir: elsewhere\n")  # a submodule or a worktree
    write(outer / "inner" / "deep" / "x", "")
    (outer / "deep" / ".git").mkdir(parents=True)  # not a repository
    monkeypatch.chdir(outer / "deep")
    assert found() == str(outer / ".flyte" / "config.yaml")
    monkeypatch.chdir(outer / "inner" / "deep")
    assert found() is None
    write(outer / "inner" / ".flyte" / "config.yaml")
    assert found() == str(outer / "inner" / ".flyte" / "config.yaml")


def test_a_repository_of_another_user_is_not_trusted(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(home.parent / "work")
    (home.parent / "work" / "deep").mkdir()
    monkeypatch.chdir(home.parent / "work" / "deep")
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(home).st_uid + 1)
    result = find(None, {})
    assert result.file is None
    assert "belongs to another user" in result.skipped[0]


@pytest.mark.posix
@pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")
@pytest.mark.parametrize("given", [".git", ".flyte/config.yaml"])
def test_a_repository_that_another_user_has_created_in_an_own_folder_is_not_trusted(
    given: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = home.parent / "work"
    repository(work)
    (work / "deep").mkdir()
    monkeypatch.chdir(work / "deep")
    assert found() is not None
    os.chown(work / given, os.geteuid() + 1, -1)
    assert found() is None


def test_a_deleted_folder_is_like_an_empty_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file)
    gone = file.parent / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert found() == str(file)
    monkeypatch.chdir(file.parent)
