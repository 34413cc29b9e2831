"""The value of each key, from the source that takes precedence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from flyte_sidecar.backends.flyte.config import keys
from flyte_sidecar.backends.flyte.config.errors import ConfigError
from flyte_sidecar.backends.flyte.config.keys import Key
from flyte_sidecar.backends.flyte.config.search import Found
from flyte_sidecar.backends.flyte.config.values import Raw, show
from flyte_sidecar.backends.flyte.endpoint import split_endpoint

T = TypeVar("T")

PROFILE_VARIABLE = "FLYTE_PROFILE"


class Setting(Struct, frozen=True):
    """A value that is not a default, for people: with its source, and without secrets."""

    name: str
    text: str
    source: str


class Value(Struct, Generic[T], frozen=True):
    """A value, what to name it and its source in an error or a report, and if a file has it."""

    value: T
    name: str
    source: str
    from_file: bool = False

    def invalid(self, problem: str) -> ConfigError:
        """Return the error for a value that cannot be used."""
        return ConfigError(f"{self.source}: `{self.name}` {problem}")


class Sources:
    """The environment variables and the config file, and a list of what was used of them.

    Parameters
    ----------
    found
        The config file; there may be none.

    Attributes
    ----------
    settings
        The values that were used, for people.
    unnamed_file
        The path of the file if the user has not named it: it was only found in a folder.
    skipped
        What exists and is not used, and why, as sentences.

    Raises
    ------
    ConfigError
        If `FLYTE_PROFILE` selects a profile that the file does not have.
    """

    def __init__(self, environment: Mapping[str, str], found: Found) -> None:
        self._environment = environment
        self.file = file = found.file
        self.unnamed_file = file.path if file is not None and not found.named else None
        self.settings: list[Setting] = []
        self.skipped = [*found.skipped]
        self._profile = environment.get(PROFILE_VARIABLE) or None
        if self._profile is not None:
            if file is None or self._profile not in file.profiles:
                place = (
                    "there is no config file with a" if file is None else f"{file.path} has no such"
                )
                raise ConfigError(f"{PROFILE_VARIABLE} is {self._profile!r}, but {place} profile")
            self.use(Value(self._profile, "profile", PROFILE_VARIABLE))

    def use(self, value: Value[T] | None) -> T | None:
        """Return the value, and add it to the settings; None if there is none."""
        if value is None:
            return None
        self.settings.append(Setting(value.name, show(value.value), value.source))
        return value.value

    def read(self, key: Key[T]) -> Value[T] | None:
        """Return the value of a key; None if no source has it.

        Raises
        ------
        ConfigError
            If the first source that has it has an invalid one.
        """
        return self.from_environment(key) or self.from_file(key)

    def from_environment(self, key: Key[T]) -> Value[T] | None:
        """Return the value of a key in the environment."""
        return self.variable(key.variables, key)

    def variable(self, names: tuple[str, ...], key: Key[T]) -> Value[T] | None:
        """Return the value of the first variable that is set and not empty."""
        name = next((name for name in names if self._environment.get(name, "").strip()), None)
        return None if name is None else self._parse(key, self._environment[name], name)

    def from_file(self, key: Key[T]) -> Value[T] | None:
        """Return the value of a key in the file."""
        entry = None if self.file is None else self.file.entry(key.path, self._profile)
        if entry is None:
            return None
        assert self.file is not None
        source = f"{self.file.path}, line {entry.line}"
        return self._parse(key, entry.raw, source, from_file=True)

    def file_host(self) -> str | None:
        """Return the host of the endpoint in the file; None if it contains none."""
        endpoint = self.from_file(keys.ENDPOINT) or self.from_file(keys.HOST)
        return None if endpoint is None else host_of(endpoint)

    def _parse(self, key: Key[T], raw: Raw, source: str, *, from_file: bool = False) -> Value[T]:
        unread = Value(raw, key.path, source)
        try:
            for part in (raw,) if isinstance(raw, str) else raw:
                part.encode()
        except UnicodeEncodeError:
            raise unread.invalid("contains characters that are not Unicode") from None
        try:
            return Value(key.parse(raw), key.path, source, from_file)
        except ValueError as error:
            raise unread.invalid(str(error)) from None


def host_of(endpoint: Value[str]) -> str:
    """Return the host of an endpoint.

    Raises
    ------
    ConfigError
        If the endpoint is invalid.
    """
    try:
        return split_endpoint(endpoint.value)[0]
    except ValueError:
        raise endpoint.invalid("must be host[:port], without a path, user or password") from None
