"""The keys of a config file that the sidecar uses, and the environment variables for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from flyte_sidecar.backends.flyte.config import values
from flyte_sidecar.backends.flyte.config.values import Raw

T = TypeVar("T")


class Key(Struct, Generic[T], frozen=True):
    """A key.

    Attributes
    ----------
    path
        The key in the file, with dots between the sections.
    parse
        Returns the value; raises `ValueError` with what is expected.
    aliases
        Variables that take precedence over the one that is derived from the path.
    of_task_pod
        A variable that Flyte sets in the pods of tasks, which precedes the file.
    """

    path: str
    parse: Callable[[Raw], T]
    aliases: tuple[str, ...] = ()
    of_task_pod: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that precede the file; the first that is set counts."""
        derived = "FLYTE_" + self.path.upper().replace(".", "_")
        return (*self.aliases, derived, *self.of_task_pod)


ENDPOINT = Key("admin.endpoint", values.text)
HOST = Key("union.connection.host", values.text)
INSECURE = Key("admin.insecure", values.boolean)
INSECURE_SKIP_VERIFY = Key("admin.insecureSkipVerify", values.boolean)
CA_CERT_FILE = Key("admin.caCertFilePath", values.path)
CONSOLE = Key("console.endpoint", values.text)

AUTH_TYPE = Key("admin.authType", values.auth_type, aliases=("FLYTE_AUTH_TYPE",))
COMMAND = Key("admin.command", values.command, aliases=("FLYTE_AUTH_COMMAND",))
PROXY_COMMAND = Key("admin.proxyCommand", values.command, aliases=("FLYTE_AUTH_PROXY_COMMAND",))
CLIENT_ID = Key("admin.clientId", values.text)
CLIENT_SECRET_FILE = Key("admin.clientSecretLocation", values.path)
CLIENT_SECRET_VARIABLE = Key("admin.clientSecretEnvVar", values.text)
SCOPES = Key("admin.scopes", values.words)
HTTP_PROXY = Key("admin.httpProxyURL", values.secret)
DISABLE_KEYRING = Key("admin.disableKeyring", values.boolean)

ORG = Key("task.org", values.text, of_task_pod=("_U_ORG_NAME",))
PROJECT = Key("task.project", values.text, of_task_pod=("FLYTE_INTERNAL_EXECUTION_PROJECT",))
DOMAIN = Key("task.domain", values.text, of_task_pod=("FLYTE_INTERNAL_EXECUTION_DOMAIN",))

ALL: tuple[Key[Any], ...] = (
    *(ENDPOINT, HOST, INSECURE, INSECURE_SKIP_VERIFY, CA_CERT_FILE, CONSOLE),
    *(AUTH_TYPE, COMMAND, PROXY_COMMAND, CLIENT_ID, CLIENT_SECRET_FILE, CLIENT_SECRET_VARIABLE),
    *(SCOPES, HTTP_PROXY, DISABLE_KEYRING, ORG, PROJECT, DOMAIN),
)

SECTIONS = ("admin", "task")
"""The sections that contain nothing but keys."""
