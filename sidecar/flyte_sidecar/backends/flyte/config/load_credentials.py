"""The credentials for a Flyte deployment, from the environment and the config file."""

from __future__ import annotations

from collections.abc import Mapping

from flyte_sidecar.backends.flyte.config import keys
from flyte_sidecar.backends.flyte.config.api_key import ApiKey
from flyte_sidecar.backends.flyte.config.config_file import read_regular
from flyte_sidecar.backends.flyte.config.credential_rules import CredentialRules
from flyte_sidecar.backends.flyte.config.sources import Sources, Value
from flyte_sidecar.backends.flyte.credentials import (
    HEADERS_VARIABLE,
    AuthType,
    Credentials,
    Secret,
)

MAX_SECRET_BYTES = 64 << 10
"""Largest file with a client secret, in bytes."""

_KINDS_WITH_COMMAND = ("ExternalCommand", "Passthrough")


def load_credentials(
    sources: Sources,
    rules: CredentialRules,
    api_key: ApiKey | None,
    environment: Mapping[str, str],
    *,
    insecure: bool,
) -> Credentials:
    """Return the credentials, and add them to the settings.

    Raises
    ------
    ConfigError
        If they are invalid or incomplete, may not be used for the endpoint, or a file with a secret
        cannot be read.
    """
    auth_type: Value[AuthType] | None
    client_id: Value[str] | None
    secret: Value[Secret[str]] | None
    if api_key is not None:
        client_id, secret = api_key.client_id_value, api_key.client_secret_value
    else:
        client_id = sources.read(keys.CLIENT_ID)
        secret = _client_secret(sources, rules, environment)
    if secret is not None:
        auth_type = Value("ClientSecret", keys.AUTH_TYPE.path, secret.source)
    else:
        auth_type = sources.read(keys.AUTH_TYPE)
    kind = auth_type.value if auth_type else Credentials().auth_type
    command = rules.read(keys.COMMAND)
    if auth_type and kind == "ExternalCommand" and not command and not insecure:
        raise auth_type.invalid(f"ExternalCommand requires `{keys.COMMAND.path}`")
    # Where no command is used, one for another host is no reason to fail.
    command = rules.permit(command) if kind in _KINDS_WITH_COMMAND else None
    headers = rules.permit(_headers(environment)) if kind == "Passthrough" else None
    proxy_command = rules.permit(rules.read(keys.PROXY_COMMAND))
    return Credentials(
        auth_type=sources.use(auth_type) or kind,
        source=auth_type.source if auth_type else None,
        client_id=sources.use(client_id),
        client_secret=sources.use(secret),
        command=sources.use(command),
        headers=sources.use(headers),
        proxy_command=sources.use(proxy_command),
        proxy_command_source=proxy_command.source if proxy_command else None,
        scopes=sources.use(sources.read(keys.SCOPES)) or (),
        http_proxy=sources.use(rules.read(keys.HTTP_PROXY)),
        disable_keyring=sources.use(sources.read(keys.DISABLE_KEYRING)) or False,
    )


def _headers(environment: Mapping[str, str]) -> Value[Secret[str]] | None:
    text = environment.get(HEADERS_VARIABLE, "")
    return Value(Secret(text), "headers", HEADERS_VARIABLE) if text.strip() else None


def _client_secret(
    sources: Sources, rules: CredentialRules, environment: Mapping[str, str]
) -> Value[Secret[str]] | None:
    """Return the secret in the variable, or else in the file, that the config names."""
    variable = rules.read(keys.CLIENT_SECRET_VARIABLE)
    secret = None if variable is None else environment.get(variable.value)
    if secret and (variable := rules.permit(variable)):
        try:
            secret.encode()
        except UnicodeEncodeError:
            raise variable.invalid("names a variable that is not Unicode") from None
        return Value(Secret(secret), "client secret", f"{variable.value} ({variable.source})")
    file = rules.permit(rules.read(keys.CLIENT_SECRET_FILE))
    if file is None:
        if variable is not None and not secret:
            sources.skipped.append(
                str(variable.invalid(f"names {variable.value}, which is not set"))
            )
        return None
    try:
        content = read_regular(file.value, MAX_SECRET_BYTES)
        secret = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise file.invalid(f"cannot be read: {error.strerror or error}: {file.value}") from None
    except ValueError:
        raise file.invalid(f"is not a text file: {file.value}") from None
    if len(content) > MAX_SECRET_BYTES:
        raise file.invalid(f"is too large for a secret: {file.value}")
    return (
        Value(Secret(secret), "client secret", f"{file.value} ({file.source})") if secret else None
    )
