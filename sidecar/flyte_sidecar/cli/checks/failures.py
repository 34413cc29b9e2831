"""What to do after a request to a deployment has failed, although its port is open."""

from __future__ import annotations

import shlex

from msgspec.structs import replace

from flyte_sidecar.backends.flyte import Deployment
from flyte_sidecar.cli.logins import is_personal
from flyte_sidecar.errors import (
    DeadlineExceeded,
    PermissionDenied,
    SidecarError,
    Unauthenticated,
    UnsupportedByBackend,
)
from flyte_sidecar.server.settings import APPLICATION, Options, backend_arguments

_BY_MESSAGE = (
    ("is not installed", "pip install 'flyte-sidecar[flyte]'"),
    (
        "option transport to auto",
        "use --transport auto, or the endpoint of the API instead of that of the web console",
    ),
    (
        "web console",
        "use the endpoint of the API: flyte create config has written it, or ask the"
        " deployment's administrators",
    ),
    ("remove the option insecure", "if the port uses TLS, remove --insecure (or --no-insecure)"),
    ("option insecure", "if the port does not use TLS, add --insecure"),
    ("the CA file", "check --ca-cert-file, or admin.caCertFilePath"),
)
"""What to do by what the message contains."""

_CREDENTIALS = {
    "ClientSecret": "check the client and its secret; they may have been replaced or have expired",
    "ExternalCommand": "run admin.command by hand: it must print a token that is valid now",
    "Passthrough": "check the headers: a token in them may have expired",
}
"""What to do if the credentials of a kind of login are rejected."""


def advice_for(error: SidecarError, options: Options, deployment: Deployment) -> str:
    """Return what to do after an error."""
    if isinstance(error, Unauthenticated):
        return _login_advice(options, deployment)
    if isinstance(error, PermissionDenied):
        advice = "ask the deployment's administrators for the permission to see runs of the project"
        if is_personal(deployment):
            advice += f", or log in as another user: {_command('logout', options)}, then login"
        return advice
    found = next((advice for mark, advice in _BY_MESSAGE if mark in error.message), None)
    if found is not None:
        return found
    if isinstance(error, DeadlineExceeded):
        return "the port is open, but nothing responds: check the port, and the deployment's state"
    if isinstance(error, UnsupportedByBackend):
        return "Flyte 2.0.28 or later is required: check its release, and that this is its API"
    return "try again; the logs of the deployment, or of the ingress before it, may have more"


def _login_advice(options: Options, deployment: Deployment) -> str:
    kind = deployment.credentials.auth_type
    if deployment.insecure:
        return "a login requires TLS: remove --insecure (admin.insecure)"
    if is_personal(deployment):
        return f"log in: {_command('login', options)}"
    return _CREDENTIALS[kind]


def _command(verb: str, options: Options) -> str:
    """Return the command for a verb with the same deployment."""
    return shlex.join([APPLICATION, verb, *backend_arguments(replace(options, backend="flyte"))])
