"""One YAML config file, with line numbers.

The file is composed into nodes with PyYAML, which the SDK uses too, and never constructed: aliases
stay references, so that they cannot multiply, and tags of other programs do no harm.
"""

from __future__ import annotations

import os
import re
import stat
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator

import yaml
from msgspec import Struct

from flyte_sidecar.backends.flyte.config.errors import ConfigError
from flyte_sidecar.backends.flyte.config.values import Raw

MAX_BYTES = 256 << 10
"""Largest file to read, in bytes. PyYAML parses it in a second or two; configs have a few lines."""

_TAG = "tag:yaml.org,2002:"
_NULL, _MERGE, _LIST = f"{_TAG}null", f"{_TAG}merge", f"{_TAG}seq"
_SCALARS = {_TAG + name for name in ("str", "bool", "int", "float", "timestamp", "value", "merge")}

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
"""What PyYAML quotes: a token in angle brackets, a character, or a name from the file."""


class Entry(Struct, frozen=True):
    """A value in a config file, as it is written, and the number of its line."""

    raw: Raw
    line: int


class ConfigFile:
    """A config file that was read.

    Parameters
    ----------
    path
        An absolute path.

    Raises
    ------
    ConfigError
        If the file cannot be read, or is not one YAML document.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        text = self._decode(self._read())
        try:
            self._root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = _QUOTED.sub(_without_name, error.problem or error.context or "invalid")
            raise self.error(f"is not YAML: {problem}", mark.line + 1 if mark else None) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise self.error("is not YAML: it contains a control character", line) from None
        except (ValueError, OverflowError):
            raise self.error("is not YAML: it escapes a character that does not exist") from None
        except RecursionError:
            raise self.error("is nested too deeply") from None

    def entry(self, path: str, profile: str | None = None) -> Entry | None:
        """Return the value of a key, first of the profile; None if it is absent, null or empty.

        Raises
        ------
        ConfigError
            If the value is neither a text, a number, a boolean nor a list of these.
        """
        keys = path.split(".")
        sections = [[]] if profile is None else [["profiles", profile], []]
        for section in sections:
            node = self._find(section + keys)
            if node is not None and node.tag != _NULL:
                raw = self._raw(node, path)
                if raw:
                    return Entry(raw, node.start_mark.line + 1)
        return None

    def contains(self, path: str) -> bool:
        """Return whether the file has the key, at the top or in any profile."""
        keys = path.split(".")
        sections = [[], *(["profiles", profile] for profile in self.profiles)]
        return any(self._find(section + keys) is not None for section in sections)

    @property
    def profiles(self) -> list[str]:
        """The names of the profiles."""
        return [name for name, _ in _pairs(self._find(["profiles"]))]

    def check_sections(self, names: tuple[str, ...]) -> None:
        """Raise `ConfigError` if the file or one of these sections contains no keys."""
        if self._root is not None and not isinstance(self._root, yaml.MappingNode):
            raise self.error("must contain keys, such as `admin`", 1)
        for name in names:
            node = self._find([name])
            if node is not None and node.tag != _NULL and not isinstance(node, yaml.MappingNode):
                raise self.error(f"`{name}` must contain keys", node.start_mark.line + 1)

    def error(self, problem: str, line: int | None = None) -> ConfigError:
        """Return an error that names the file and the line."""
        place = self.path if line is None else f"{self.path}, line {line}"
        return ConfigError(f"{place}: {problem}")

    def _read(self) -> bytes:
        try:
            content = read_regular(self.path, MAX_BYTES)
        except OSError as error:
            raise self.error(f"cannot be read: {error.strerror or error}") from None
        if len(content) > MAX_BYTES:
            raise self.error(f"is larger than {MAX_BYTES >> 10} KiB")
        return content

    def _decode(self, content: bytes) -> str:
        # Windows PowerShell writes UTF-16.
        is_utf_16 = content.startswith((BOM_UTF16_BE, BOM_UTF16_LE))
        encoding = "UTF-16" if is_utf_16 else "UTF-8"
        try:
            return content.removeprefix(BOM_UTF8).decode(encoding)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self.error(f"is not {encoding}", line) from None

    def _find(self, keys: list[str]) -> yaml.Node | None:
        node = self._root
        for key in keys:
            node = next((value for name, value in _pairs(node) if name == key), None)
        return node

    def _raw(self, node: yaml.Node, path: str) -> Raw:
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            value: str = node.value
            return value
        if isinstance(node, yaml.SequenceNode) and node.tag == _LIST:
            items = node.value
            if all(isinstance(item, yaml.ScalarNode) and item.tag in _SCALARS for item in items):
                return tuple(item.value for item in items)
        line = node.start_mark.line + 1
        raise self.error(f"`{path}` must be a text, a number, a boolean or a list of these", line)


def read_regular(path: str, limit: int) -> bytes:
    """Return the content of a regular file, or a little more than `limit` bytes of a larger one.

    Raises
    ------
    OSError
        If the file cannot be read, or is not regular: a FIFO could block.
    """
    try:
        with open(path, "rb", opener=_open_without_blocking) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError("it is not a regular file")
            return file.read(limit + 1)
    except ValueError as error:  # the path contains a NUL
        raise OSError(str(error)) from None


def _open_without_blocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _without_name(quoted: re.Match[str]) -> str:
    """Return what PyYAML quotes, unless it is a name: that could be a part of a secret."""
    return quoted[0] if len(quoted[0]) <= 4 or quoted[0][1] == "<" else "a name"


def _pairs(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the keys and values of a mapping; of equal keys, the first is the one that counts.

    These are its own from the last to the first, then those of the mappings that it merges.
    """
    waiting = [node]
    seen: set[int] = set()
    while waiting:
        mapping = waiting.pop()
        if not isinstance(mapping, yaml.MappingNode) or id(mapping) in seen:
            continue
        seen.add(id(mapping))
        merged: list[yaml.Node] = []  # in the order of precedence
        for key, value in reversed(mapping.value):
            if key.tag == _MERGE:
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif isinstance(key, yaml.ScalarNode):
                yield key.value, value
        waiting += reversed(merged)
