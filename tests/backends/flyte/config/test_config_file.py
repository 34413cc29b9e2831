"""Config files as people and other programs write them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from flyte_sidecar.backends.flyte.config import ConfigError
from flyte_sidecar.backends.flyte.config.config_file import MAX_BYTES, ConfigFile, Entry
from tests.conftest import IS_ROOT

TEXT = "admin:\n  endpoint: h.example\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def read(path: Path, content: str | bytes) -> ConfigFile:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return ConfigFile(str(path))


def error(path: Path, content: str | bytes, key: str = "admin.endpoint") -> str:
    with pytest.raises(ConfigError) as raised:
        read(path, content).entry(key)
    return str(raised.value)


def test_a_value_has_the_number_of_its_line(path: Path) -> None:
    assert read(path, TEXT).entry("admin.endpoint") == Entry("h.example", 2)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.rstrip("\n").encode(),
        b"%YAML 1.1\n---\n" + TEXT.encode() + b"...\n",
        b'{"admin":{"endpoint":"h.example"}}',
        b"? admin\n: ? endpoint\n  : h.example",
        b"!!map\nadmin: !!map\n  !!str endpoint: !!str h.example\n",
    ],
)
def test_a_file_may_have_any_form_of_yaml(content: bytes, path: Path) -> None:
    entry = read(path, content).entry("admin.endpoint")
    assert entry is not None
    assert entry.raw == "h.example"


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (TEXT + "\tinsecure: true\n", 3, "is not YAML"),
        (TEXT + "  insecure: [true\n", 4, "is not YAML"),
        (TEXT + "- a\n", 3, "is not YAML"),
        (TEXT + "---\n" + TEXT, 3, "is not YAML"),
        (TEXT + "  command: *hunter2\n", 3, "is not YAML: found undefined alias a name"),
        (TEXT + "# \x07\n", 3, "control character"),
        (TEXT.encode() + b"# caf\xe9\n", 3, "is not UTF-8"),
        (b"\xff\xfea\0b\0\n\0\0\xd8", 2, "is not UTF-16"),
        ("admin:\n  endpoint:\n    host: x\n", 3, "`admin.endpoint` must be a text"),
        ("admin:\n  endpoint: [[x]]\n", 2, "`admin.endpoint` must be a text"),
        ("admin:\n  endpoint: !vault x\n", 2, "`admin.endpoint` must be a text"),
        ("admin:\n\n  endpoint: !!binary aGk=\n", 3, "`admin.endpoint` must be a text"),
    ],
)
def test_a_broken_file_is_reported_with_its_line(
    content: str | bytes, line: int, says: str, path: Path
) -> None:
    message = error(path, content)
    assert message.startswith(f"{path}, line {line}: ")
    assert says in message
    assert "hunter2" not in message


@pytest.mark.parametrize("depth", [1000, 100_000])
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_a_deeply_nested_file_is_rejected(opening: str, depth: int, path: Path) -> None:
    message = error(path, (opening * depth)[:MAX_BYTES])
    assert message == f"{path}: is nested too deeply"


@pytest.mark.parametrize("escape", ["\\U00110000", "\\UFFFFFFFF"])
def test_an_escape_of_no_character_is_rejected(escape: str, path: Path) -> None:
    assert "escapes a character that does not exist" in error(path, f'a: "{escape}"')


def test_aliases_do_not_multiply(path: Path) -> None:
    """The billion laughs, as a value and as merges."""
    levels = ["a0: &a0 {x: y}"]
    for level in range(1, 60):
        nine = ", ".join([f"*a{level - 1}"] * 9)
        levels += [f"a{level}: &a{level} {{<<: [{nine}], more: [{nine}]}}"]
    file = read(path, "\n".join([*levels, "admin: *a59", "task: {project: *a59}"]))
    assert file.entry("admin.endpoint") is None
    assert not file.contains("admin.endpoint")
    with pytest.raises(ConfigError, match=r"`task\.project` must be"):
        file.entry("task.project")


def test_merges_may_be_circular_and_long(path: Path) -> None:
    chain = [f"a{n}: &a{n} {{<<: *a{n - 1}}}" for n in range(1, 3000)]
    file = read(path, "\n".join(["a0: &a0 {endpoint: h}", *chain, "admin: &b {<<: [*b, *a2999]}"]))
    assert file.entry("admin.endpoint") == Entry("h", 1)
    assert file.entry("admin.insecure") is None


def test_of_merged_mappings_the_first_counts(path: Path) -> None:
    text = "a: &a {x: 1}\nb: &b {x: 2, y: 3}\nadmin:\n  <<: [*a, *b]\n  y: 4\n"
    file = read(path, text)
    assert file.entry("admin.x") == Entry("1", 1)
    assert file.entry("admin.y") == Entry("4", 5)


@pytest.mark.parametrize(
    "content", ["", " \n", "# nothing\n", "---\n", "admin:\n", "null", "[]", "x"]
)
def test_a_file_may_have_no_keys(content: str, path: Path) -> None:
    file = read(path, content)
    assert file.entry("admin.endpoint") is None
    assert not file.contains("admin.endpoint")
    assert file.profiles == []


@pytest.mark.parametrize("value", ["", "null", "~", "''", "[]", "!!null x"])
def test_an_empty_value_is_not_set(value: str, path: Path) -> None:
    assert read(path, f"admin: {{endpoint: {value}}}").entry("admin.endpoint") is None


def test_a_file_over_the_limit_is_rejected(path: Path) -> None:
    padding = "#" * (MAX_BYTES - len(TEXT))
    assert read(path, TEXT + padding).entry("admin.endpoint") == Entry("h.example", 2)
    assert error(path, TEXT + padding + "#") == f"{path}: is larger than 256 KiB"


def test_a_folder_is_rejected(path: Path) -> None:
    path.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        ConfigFile(str(path))


@pytest.mark.posix
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs here")
def test_what_is_no_regular_file_is_rejected_without_blocking(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="cannot be read: it is not a regular file"):
        ConfigFile(str(path))
    path.unlink()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        with pytest.raises(ConfigError, match="cannot be read"):
            ConfigFile(str(path))
    with pytest.raises(ConfigError, match="cannot be read: it is not a regular file"):
        ConfigFile("/dev/null")


@pytest.mark.posix
@pytest.mark.skipif(IS_ROOT, reason="root can read every file")
def test_a_file_without_permission_is_rejected(path: Path) -> None:
    path.write_text(TEXT)
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        ConfigFile(str(path))


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
@example(b"admin: {<<: x}")
@example(b"admin: {<<: [x, {endpoint: y}]}")
@example(b"? [a]\n: b\nadmin: {? {a: b} : c}")
@example(b"!!python/object:os.system {}")
@example(b"profiles: {a: 1, ? [x] : 2}")
@example(b'"\\ud800": "\\udfff"')
def test_any_content_is_read_or_rejected(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.yaml"
    message = str(path)
    try:
        file = read(path, content)
        for key in ("admin.endpoint", "a.b", "profiles"):
            file.entry(key, "a")
            file.contains(key)
    except ConfigError as rejected:
        message = str(rejected)
    assert message.startswith(str(path))


names = st.sampled_from(["a", "b", "c"])
trees = st.recursive(
    st.sampled_from(["x", "y", 1, True, None]),
    lambda values: st.dictionaries(names, values, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(names, trees), names, names)
def test_entries_are_those_that_pyyaml_constructs(
    tmp_path: Path, tree: dict[str, object], section: str, key: str
) -> None:
    file = read(tmp_path / "tree.yaml", yaml.safe_dump(tree))
    below = tree.get(section)
    value = below.get(key) if isinstance(below, dict) else None
    if isinstance(value, dict):
        with pytest.raises(ConfigError):
            file.entry(f"{section}.{key}")
    else:
        entry = file.entry(f"{section}.{key}")
        assert (entry.raw if entry else None) == (None if value is None else str(value).lower())
