"""The keychain of macOS, through Apple's program for it.

Flyte's SDK uses the same program. macOS asks for a password for each program that reads an item,
and the Python of each virtual environment would be another program.
"""

from __future__ import annotations

import subprocess
from typing import ClassVar

from flyte_sidecar.backends.flyte.auth.stores.daemon_calls import DaemonCalls
from flyte_sidecar.backends.flyte.auth.stores.password_store import StoreFailure, StoreKind

SECURITY = "/usr/bin/security"
NOT_FOUND, LOCKED = 44, 36
"""Exit statuses of the program."""

TIMEOUT = 25.0
"""Seconds for one command; macOS may ask the user to unlock the keychain."""

MAX_COMMAND_BYTES = 4095
"""Longest line that the program reads from stdin, with its end."""


class MacosKeychain:
    """A `PasswordStore` in the default keychain."""

    kind: ClassVar[StoreKind] = "keyring"
    calls: ClassVar[DaemonCalls] = DaemonCalls("keychain")
    name = "the macOS keychain"

    def __init__(self, program: str = SECURITY) -> None:
        self._program = program

    def get(self, service: str, user: str) -> str | None:
        found = self._run(["find-generic-password", "-a", user, "-s", service, "-w"])
        if found.returncode == NOT_FOUND:
            return None
        self._check(found)
        return found.stdout.decode(errors="replace").removesuffix("\n")

    def set(self, service: str, user: str, password: str) -> None:
        """Store a password. The command goes through stdin: other users can read arguments."""
        words = ["-a", user, "-s", service, "-w", password]
        command = f"add-generic-password -U {' '.join(map(_quoted, words))}\n".encode()
        if len(command) > MAX_COMMAND_BYTES:
            raise StoreFailure(f"the login is too large for {self.name}")
        self._check(self._run(["-i"], command))

    def delete(self, service: str, user: str) -> None:
        self._check(self._run(["delete-generic-password", "-a", user, "-s", service]))

    def _run(
        self, arguments: list[str], command: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603  no shell; the program is Apple's
                [self._program, *arguments],
                input=command,
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StoreFailure(f"{self.name} did not respond within {TIMEOUT:g} s") from None
        except (OSError, ValueError) as error:
            raise StoreFailure(f"{self._program} cannot be run: {type(error).__name__}") from None

    def _check(self, done: subprocess.CompletedProcess[bytes]) -> None:
        if done.returncode == LOCKED:
            raise StoreFailure(f"{self.name} is locked")
        if done.returncode != 0:
            raise StoreFailure(f"{self.name} failed with exit status {done.returncode}")


def _quoted(word: str) -> str:
    """Return a word as the program reads it from a line.

    Raises
    ------
    StoreFailure
        If it contains a control character: the end of a line would start another command.
    """
    if not word.isprintable():
        raise StoreFailure("the login contains characters that the macOS keychain cannot store")
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
