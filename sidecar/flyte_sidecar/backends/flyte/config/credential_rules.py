"""Which credentials may be used for which endpoint.

Credentials go to the endpoint, or to the identity provider that it announces. Therefore only those
are used that come from the same hand as the endpoint:

- A file that the user has not named may be a part of a cloned repository. It chooses no program, no
  secret and no proxy, and its endpoint gets no credentials from the environment.
- The credentials in a file with an endpoint are for the host of this endpoint.
"""

from __future__ import annotations

from typing import TypeVar

from flyte_sidecar.backends.flyte.config.keys import Key
from flyte_sidecar.backends.flyte.config.sources import Sources, Value, host_of

T = TypeVar("T")

_UNNAMED = "a file that was only found in this folder or its repository"


class CredentialRules:
    """The rules for the credentials of one endpoint.

    Parameters
    ----------
    insecure
        Whether requests are sent without TLS, and so without a login.
    """

    def __init__(self, sources: Sources, endpoint: Value[str], *, insecure: bool) -> None:
        self._sources = sources
        self._endpoint = endpoint
        self._insecure = insecure

    def read(self, key: Key[T]) -> Value[T] | None:
        """Return the value of a key that chooses a program, a secret or a proxy.

        Raises
        ------
        ConfigError
            If it is invalid, or the user has not named its file.
        """
        value = self._sources.read(key)
        if value is not None and value.from_file and self._sources.unnamed_file is not None:
            raise value.invalid(f"is not accepted in {_UNNAMED}; {self._remedy()}")
        return value

    def permit(self, value: Value[T] | None) -> Value[T] | None:
        """Return a credential that may be used for the endpoint.

        With `insecure`, a credential that may not be used is skipped.

        Raises
        ------
        ConfigError
            If it may not be used.
        """
        problem = None if value is None else self._problem(value)
        if value is None or problem is None:
            return value
        if not self._insecure:
            raise value.invalid(problem)
        self._sources.skipped.append(str(value.invalid(problem)))
        return None

    def _problem(self, value: Value[T]) -> str | None:
        host = host_of(self._endpoint)
        if not value.from_file:
            if not self._endpoint.from_file or self._sources.unnamed_file is None:
                return None
            place = f"{self._endpoint.source}, {_UNNAMED}"
            return f"is not sent to {host} ({place}); {self._remedy()}"
        own = self._sources.file_host()
        if own in (None, host):
            return None
        return (
            f"is for {own}, and not used for {host} ({self._endpoint.source}); set it in the"
            " environment, or choose another file: --config FILE"
        )

    def _remedy(self) -> str:
        return f"to use this file, name it: --config {self._sources.unnamed_file}"
