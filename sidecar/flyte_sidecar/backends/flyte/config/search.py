"""Where a config file is looked for. The first that exists counts."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress

from msgspec import Struct

from flyte_sidecar.backends.flyte.config import keys
from flyte_sidecar.backends.flyte.config.config_file import ConfigFile
from flyte_sidecar.backends.flyte.config.errors import ConfigError

FILE_VARIABLES = ("UCTL_CONFIG", "FLYTECTL_CONFIG")
"""Variables that contain the path of a config file."""

_IN_FOLDER = os.path.join(".flyte", "config.yaml")


class Found(Struct, frozen=True):
    """The result of a search.

    Attributes
    ----------
    file
        The config file; None if there is none.
    named
        Whether the user has named the file, or it is the one in the home folder. Otherwise it was
        found in the current folder or its repository, where others may have put it.
    skipped
        Files that exist and were not used, and why, as sentences.
    """

    file: ConfigFile | None
    skipped: tuple[str, ...] = ()
    named: bool = True


def find(chosen: str | None, environment: Mapping[str, str]) -> Found:
    """Return the config file.

    Parameters
    ----------
    chosen
        The path that the user has chosen; None to search.

    Raises
    ------
    ConfigError
        If the file cannot be used, or a chosen one does not exist.
    """
    if chosen is not None:
        return Found(_read(chosen))
    skipped: list[str] = []
    if _exists("config.yaml"):
        try:
            file = ConfigFile(os.path.abspath("config.yaml"))
        except ConfigError as error:
            skipped.append(f"{error}: another program's file")
        else:
            if any(file.contains(key.path) for key in keys.ALL):
                return Found(_checked(file), named=_is_named(file.path, environment))
            skipped.append(f"{file.path}: it has none of Flyte's keys: another program's file")
    for path, repository in _of_folders():
        if _exists(path):
            if repository is not None and not _are_own(path, repository):
                skipped.append(
                    f"{path}: its repository belongs to another user; to use it: --config"
                )
                continue
            return Found(_read(path), tuple(skipped), _is_named(path, environment))
    for variable, path in _of_variables(environment):
        try:
            return Found(_read(path), tuple(skipped))
        except ConfigError as error:
            raise ConfigError(f"{variable}: {error}") from None
    for path in _of_home():
        if _exists(path):
            return Found(_read(path), tuple(skipped))
    return Found(None, tuple(skipped))


def _of_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable in FILE_VARIABLES:
        if path := environment.get(variable):
            yield variable, os.path.expanduser(path)


def _of_home() -> Iterator[str]:
    for folder in (".union", ".flyte"):
        path = os.path.join(os.path.expanduser("~"), folder, "config.yaml")
        if os.path.isabs(path):
            yield path


def _is_named(path: str, environment: Mapping[str, str]) -> bool:
    """Return whether a file that was found in a folder is one that the user has named too."""
    for other in (*(named for _, named in _of_variables(environment)), *_of_home()):
        with suppress(OSError, ValueError):
            if os.path.samefile(path, other):
                return True
    return False


def _read(path: str) -> ConfigFile:
    try:
        absolute = os.path.abspath(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return _checked(ConfigFile(absolute))


def _checked(file: ConfigFile) -> ConfigFile:
    file.check_sections(keys.SECTIONS)
    return file


def _of_folders() -> Iterator[tuple[str, str | None]]:
    """Yield the path in this folder, then the path in the root of its git repository.

    With the second comes the repository's `.git`.
    """
    yield _IN_FOLDER, None
    try:
        folder = os.getcwd()
    except OSError:
        return
    while True:
        git = os.path.join(folder, ".git")
        if os.path.isfile(git) or os.path.isfile(os.path.join(git, "HEAD")):
            yield os.path.join(folder, _IN_FOLDER), git
            return
        parent = os.path.dirname(folder)
        if parent == folder:
            return
        folder = parent


def _are_own(*paths: str) -> bool:
    """Return whether all paths belong to this user.

    Anyone can create a repository in a folder such as /tmp, so git, too, ignores those of others.
    """
    if sys.platform == "win32":
        return True
    return all(os.stat(path).st_uid == os.geteuid() for path in paths)


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # reading it reports why it cannot be used
    return True
