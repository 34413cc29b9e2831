"""The value of each key, from the source that takes precedence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from flyte_sidecar.backends.flyte.config.config_file import ConfigFile
from flyte_sidecar.backends.flyte.config.errors import ConfigError
from flyte_sidecar.backends.flyte.config.keys import Key
from flyte_sidecar.backends.flyte.config.values import Raw, show

T = TypeVar("T")

PROFILE_VARIABLE = "FLYTE_PROFILE"


class Setting(Struct, frozen=True):
    """A value that is not a default, for people: with its source, and without secrets."""

    name: str
    text: str
    source: str


class Value(Struct, Generic[T], frozen=True):
    """A value, and what to name it and its source in an error or a report."""

    value: T
    name: str
    source: str

    def invalid(self, problem: str) -> ConfigError:
        """Return the error for a value that cannot be used."""
        return ConfigError(f"{self.source}: `{self.name}` {problem}")


class Sources:
    """The environment variables and the config file, and a list of what was used of them.

    Parameters
    ----------
    file
        The config file; None if there is none.

    Attributes
    ----------
    settings
        The values that were used, for people.

    Raises
    ------
    ConfigError
        If `FLYTE_PROFILE` selects a profile that the file does not have.
    """

    def __init__(self, environment: Mapping[str, str], file: ConfigFile | None) -> None:
        self._environment = environment
        self.file = file
        self.settings: list[Setting] = []
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
        return self._parse(key, entry.raw, f"{self.file.path}, line {entry.line}")

    def _parse(self, key: Key[T], raw: Raw, source: str) -> Value[T]:
        unread = Value(raw, key.path, source)
        try:
            for part in (raw,) if isinstance(raw, str) else raw:
                part.encode()
        except UnicodeEncodeError:
            raise unread.invalid("contains characters that are not Unicode") from None
        try:
            return Value(key.parse(raw), key.path, source)
        except ValueError as error:
            raise unread.invalid(str(error)) from None
