"""The file in which Flyte's SDK stores logins in notebooks without a keyring."""

from __future__ import annotations

import binascii
import os
import tempfile
from base64 import decodebytes, encodebytes
from configparser import ConfigParser
from configparser import Error as SyntaxProblem
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import ClassVar

from flyte_sidecar.backends.flyte.auth.stores.daemon_calls import DaemonCalls
from flyte_sidecar.backends.flyte.auth.stores.password_store import StoreFailure, StoreKind

MAX_BYTES = 1 << 20
"""Largest file to read."""

FOLDER = ".flyte"


def notebook_file(config_file: str | None) -> Path:
    """Return the path of the file: beside a config file in a folder `.flyte`, or in the home.

    Raises
    ------
    RuntimeError
        If the home folder is unknown.
    """
    if config_file is not None and Path(config_file).parent.name == FOLDER:
        return Path(config_file).with_name("keyring.cfg")
    return Path.home() / FOLDER / "keyring.cfg"


class NotebookFile:
    """A `PasswordStore` in an INI file: a section for each service, an option for each user."""

    kind: ClassVar[StoreKind] = "file"
    calls: ClassVar[DaemonCalls] = DaemonCalls("keyring-file")

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = f"the file {path}"

    def get(self, service: str, user: str) -> str | None:
        encoded = self._read().get(service, user, fallback=None)
        if encoded is None:
            return None
        try:
            return decodebytes(encoded.encode()).decode()
        except (binascii.Error, ValueError):
            raise StoreFailure(f"{self.name} contains a password that is not base64") from None

    def set(self, service: str, user: str, password: str) -> None:
        content = self._read()
        try:
            if not content.has_section(service):
                content.add_section(service)
            content.set(service, user, encodebytes(password.encode()).decode())
        except ValueError:  # a section DEFAULT
            raise StoreFailure(f"{self.name} cannot store logins for {service}") from None
        self._replace(content)

    def delete(self, service: str, user: str) -> None:
        content = self._read()
        content.remove_option(service, user)
        if not content.options(service):
            content.remove_section(service)
        self._replace(content)

    def _read(self) -> ConfigParser:
        content = ConfigParser(interpolation=None)
        try:
            status = self._path.stat()
            if not S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                raise StoreFailure(f"{self.name} is not a small regular file")
            content.read_string(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StoreFailure(f"{self.name} cannot be read: {error.strerror}") from None
        except (SyntaxProblem, ValueError):  # their messages repeat lines of the file
            raise StoreFailure(f"{self.name} is not a valid INI file") from None
        return content

    def _replace(self, content: ConfigParser) -> None:
        """Write the file, so that others cannot read it and a crash leaves the old one."""
        path = Path(os.path.realpath(self._path))  # a link to the file stays one
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".keyring-")  # mode 0600
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    content.write(file)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name)
                raise
        except OSError as error:
            raise StoreFailure(f"{self.name} cannot be written: {error.strerror}") from None
