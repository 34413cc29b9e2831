"""API keys: an endpoint and its credentials in one variable."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from msgspec import Struct

from flyte_sidecar.backends.flyte.config import keys
from flyte_sidecar.backends.flyte.config.errors import ConfigError
from flyte_sidecar.backends.flyte.config.sources import Sources, Value
from flyte_sidecar.backends.flyte.credentials import Secret

VARIABLE = "FLYTE_API_KEY"

POD_VARIABLES = ("_UNION_EAGER_API_KEY", "EAGER_API_KEY")
"""Variables with a key that Flyte sets in the pods of tasks."""

_SCHEME = re.compile(r"(?:(?:dns|https?)://+)*")


class ApiKey(Struct, frozen=True):
    """An API key, and the variable that contains it."""

    variable: str
    endpoint: str
    client_id: str
    client_secret: Secret[str]
    org: str | None

    @property
    def of_task_pod(self) -> bool:
        """Whether Flyte has set it in the pod of a task."""
        return self.variable in POD_VARIABLES

    @property
    def endpoint_value(self) -> Value[str]:
        return Value(self.endpoint, keys.ENDPOINT.path, self.variable)

    @property
    def org_value(self) -> Value[str] | None:
        return None if self.org is None else Value(self.org, keys.ORG.path, self.variable)

    @property
    def client_id_value(self) -> Value[str]:
        return Value(self.client_id, keys.CLIENT_ID.path, self.variable)

    @property
    def client_secret_value(self) -> Value[Secret[str]]:
        return Value(self.client_secret, "client secret", self.variable)


def find_api_key(environment: Mapping[str, str]) -> ApiKey | None:
    """Return the key that the user has set; None if there is none.

    Raises
    ------
    ConfigError
        If it is not a key.
    """
    return _decode(VARIABLE, environment) if environment.get(VARIABLE) else None


def find_pod_key(sources: Sources, environment: Mapping[str, str]) -> ApiKey | None:
    """Return the key that Flyte has set in the pod of a task; None if there is none.

    A config file and a chosen kind of login take precedence over it.

    Raises
    ------
    ConfigError
        If it is not a key.
    """
    if sources.file is not None or sources.from_environment(keys.AUTH_TYPE) is not None:
        return None
    variable = next((name for name in POD_VARIABLES if environment.get(name)), None)
    return None if variable is None else _decode(variable, environment)


def _decode(variable: str, environment: Mapping[str, str]) -> ApiKey:
    try:
        text = base64.b64decode(environment[variable]).decode()
    except ValueError:
        text = ""
    parts = _SCHEME.sub("", text, count=1).split(":", 3)
    if len(parts) != 4 or not all(parts[:3]):
        raise ConfigError(f"{variable} is not an API key")
    endpoint, client_id, client_secret, org = parts
    secret = Secret(client_secret)
    return ApiKey(variable, endpoint, client_id, secret, None if org in ("", "None") else org)
