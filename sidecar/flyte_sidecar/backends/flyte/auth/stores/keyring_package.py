"""The keyring of the user, through the `keyring` package: Secret Service, Windows, others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, ClassVar, TextIO, cast

from flyte_sidecar.backends.flyte.auth.stores.daemon_calls import DaemonCalls
from flyte_sidecar.backends.flyte.auth.stores.password_store import NoStore, StoreFailure, StoreKind
from flyte_sidecar.backends.flyte.rpc.http_errors import missing_package

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

NO_KEYRING = "no keyring is available (`pip install keyrings.alt` adds one in a file)"


class KeyringPackage:
    """A `PasswordStore` in the backend that the `keyring` package selects."""

    kind: ClassVar[StoreKind] = "keyring"
    calls: ClassVar[DaemonCalls] = DaemonCalls("keyring")

    def __init__(self) -> None:
        self.name = "the keyring"

    def get(self, service: str, user: str) -> str | None:
        with self._backend() as backend:
            password = backend.get_password(service, user)
            return password if isinstance(password, str) else None  # a backend may return bytes

    def set(self, service: str, user: str, password: str) -> None:
        with self._backend() as backend:
            backend.set_password(service, user, password)

    def delete(self, service: str, user: str) -> None:
        with self._backend() as backend:
            backend.delete_password(service, user)

    @contextmanager
    def _backend(self) -> Iterator[KeyringBackend]:
        """Yield the backend; translate its errors, whose messages could contain secrets."""
        try:
            import keyring
            from keyring.errors import KeyringLocked, NoKeyringError
        except (ImportError, OSError) as error:
            raise StoreFailure(missing_package(error).message) from None
        try:
            with _own_prints_to_stderr():
                backend = keyring.get_keyring()
                self.name = f"the keyring ({backend.name})"
                yield backend
        except NoKeyringError:
            raise NoStore(NO_KEYRING) from None
        except KeyringLocked:
            raise StoreFailure("the keyring is locked") from None
        except BaseException as error:  # SystemExit, or a panic of a backend in Rust
            kind = type(error)
            message = f"{self.name} failed: {kind.__module__}.{kind.__qualname__}"
            raise StoreFailure(message) from None


@contextmanager
def _own_prints_to_stderr() -> Iterator[None]:
    """Write to stderr what this thread prints, and only this thread: stdout belongs to others."""
    guard = _Stdout(sys.stdout)
    sys.stdout = cast(TextIO, guard)
    try:
        yield
    finally:
        if cast(object, sys.stdout) is guard:  # else another thread has replaced it meanwhile
            sys.stdout = guard.replaced


class _Stdout:
    """The stdout that it replaces, or stderr for the thread that creates it."""

    def __init__(self, replaced: TextIO) -> None:
        self.replaced = replaced
        self._thread = get_ident()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr if get_ident() == self._thread else self.replaced, name)
