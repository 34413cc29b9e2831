"""What a login store requires of the places that can store passwords."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

from flyte_sidecar.backends.flyte.auth.stores.daemon_calls import DaemonCalls

StoreKind = Literal["keyring", "file"]


class StoreFailure(Exception):
    """A password store cannot be used. The message is for people, and contains no secret."""


class NoStore(StoreFailure):
    """There is no such password store on this machine, so that it contains nothing."""


class PasswordStore(Protocol):
    """Stores passwords by service and user. The methods may block, and raise `StoreFailure`.

    Attributes
    ----------
    calls
        Where the methods are run.
    """

    kind: ClassVar[StoreKind]
    calls: ClassVar[DaemonCalls]

    @property
    def name(self) -> str:
        """The name of the store, for people."""

    def get(self, service: str, user: str) -> str | None:
        """Return a password; None if there is none."""

    def set(self, service: str, user: str, password: str) -> None:
        """Store a password in place of an earlier one."""

    def delete(self, service: str, user: str) -> None:
        """Delete a password that exists."""
