"""The config of a Flyte deployment, from all sources."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TypeVar

from msgspec import Struct

from flyte_sidecar.backends.flyte.config import keys, search
from flyte_sidecar.backends.flyte.config.api_key import ApiKey, find_api_key, find_pod_key
from flyte_sidecar.backends.flyte.config.credential_rules import CredentialRules
from flyte_sidecar.backends.flyte.config.errors import NoEndpoint
from flyte_sidecar.backends.flyte.config.keys import Key
from flyte_sidecar.backends.flyte.config.load_credentials import load_credentials
from flyte_sidecar.backends.flyte.config.sources import Setting, Sources, Value, host_of
from flyte_sidecar.backends.flyte.endpoint import Deployment, Transport, console_url, split_endpoint
from flyte_sidecar.backends.flyte.proxy import proxy_for

T = TypeVar("T")

POD_ENDPOINT = "_U_EP_OVERRIDE"
"""The variable with the endpoint in the pods of tasks that have no API key."""


class Overrides(Struct, frozen=True, kw_only=True):
    """The options of the user, which precede everything else. None: not given.

    `config` is the path of the config file. The others are members of `Deployment`.
    """

    config: str | None = None
    endpoint: str | None = None
    insecure: bool | None = None
    ca_cert_file: str | None = None
    insecure_skip_verify: bool | None = None
    transport: Transport | None = None
    org: str | None = None
    project: str | None = None
    domain: str | None = None


class Config(Struct, frozen=True, kw_only=True):
    """The config of a Flyte deployment.

    Attributes
    ----------
    deployment
        The deployment that it describes.
    skipped
        Files and values that exist and were not used, and why, as sentences.
    settings
        All values that are not defaults, for people.
    """

    deployment: Deployment
    skipped: tuple[str, ...]
    settings: tuple[Setting, ...]


def load(overrides: Overrides, environment: Mapping[str, str] = os.environ) -> Config:
    """Return the config from the options, the environment and the config file.

    Raises
    ------
    NoEndpoint
        If there is no endpoint.
    ConfigError
        If the file or a value is invalid.
    ValueError
        If an option is invalid.
    """
    sources = Sources(environment, search.find(overrides.config, environment))
    deployment = _deployment(overrides, sources, environment)
    return Config(
        deployment=deployment, skipped=tuple(sources.skipped), settings=tuple(sources.settings)
    )


def _deployment(
    overrides: Overrides, sources: Sources, environment: Mapping[str, str]
) -> Deployment:
    def read(key: Key[T], option: str, *last: str) -> T | None:
        return sources.use(
            _option(overrides, option) or sources.read(key) or sources.variable(last, key)
        )

    api_key = find_api_key(environment) or find_pod_key(sources, environment)
    endpoint = _endpoint(overrides, sources, api_key)
    of_pod = endpoint.source == POD_ENDPOINT
    by_flyte = of_pod or (api_key is not None and api_key.of_task_pod)
    plaintext = read(keys.INSECURE, "insecure", *(["_U_INSECURE"] if of_pod else []))
    if plaintext is None and of_pod:
        # As the SDK assumes in the pods of a development cluster.
        plaintext = any(name in endpoint.value for name in ("localhost", "docker"))
    insecure = bool(plaintext)
    of_pods = ["_U_INSECURE_SKIP_VERIFY"] if by_flyte else []
    skip_verify = read(keys.INSECURE_SKIP_VERIFY, "insecure_skip_verify", *of_pods)
    rules = CredentialRules(sources, endpoint, insecure=insecure)
    return Deployment(
        endpoint=endpoint.value,
        insecure=insecure,
        ca_cert_file=read(keys.CA_CERT_FILE, "ca_cert_file"),
        insecure_skip_verify=bool(skip_verify),
        org=sources.use(
            _option(overrides, "org") or (api_key and api_key.org_value) or sources.read(keys.ORG)
        ),
        project=read(keys.PROJECT, "project"),
        domain=read(keys.DOMAIN, "domain"),
        proxy=proxy_for(split_endpoint(endpoint.value)[0], environment),
        console=_console(sources, endpoint, insecure=insecure),
        credentials=load_credentials(sources, rules, api_key, environment, insecure=insecure),
        transport=sources.use(_option(overrides, "transport")) or "auto",
        config_file=sources.file.path if sources.file else None,
        config_named=sources.unnamed_file is None,
    )


def _endpoint(overrides: Overrides, sources: Sources, api_key: ApiKey | None) -> Value[str]:
    """Return the endpoint, and add it to the settings.

    Raises
    ------
    NoEndpoint
        If there is none.
    ConfigError
        If the one of another source than the options is invalid.
    ValueError
        If the one of the options is invalid.
    """
    injected = api_key is not None and api_key.of_task_pod
    option: Value[str] | None = _option(overrides, "endpoint")
    endpoint = (
        option
        or (api_key.endpoint_value if api_key and not injected else None)
        or sources.read(keys.ENDPOINT)
        or sources.from_file(keys.HOST)
        or (api_key.endpoint_value if api_key else None)
        or sources.variable((POD_ENDPOINT,), keys.ENDPOINT)
    )
    if endpoint is None or not endpoint.value:
        raise NoEndpoint(
            "a Flyte deployment (backend flyte or all) requires an endpoint, host[:port]: in the"
            " option --endpoint (Python: the argument endpoint; editors: the setting"
            " flyteSidecar.endpoint), in FLYTE_ADMIN_ENDPOINT, or as admin.endpoint in a config"
            " file of Flyte"
        )
    if option is None:
        host_of(endpoint)
    else:
        split_endpoint(option.value)
    sources.use(endpoint)
    return endpoint


def _console(sources: Sources, endpoint: Value[str], *, insecure: bool) -> str | None:
    """Return the address of the console; that in a file is for the file's own endpoint."""
    console = sources.read(keys.CONSOLE)
    if console is None:
        return None
    try:
        console_url(console.value, insecure=insecure)
    except ValueError:
        problem = "must be host[:port] or an HTTP URL, without a user or a query"
        raise console.invalid(problem) from None
    own = sources.file_host() if console.from_file else None
    if own not in (None, host_of(endpoint)):
        sources.skipped.append(str(console.invalid(f"is the console of {own}")))
        return None
    return sources.use(console)


def _option(overrides: Overrides, name: str) -> Value[T] | None:
    """Return the value of an option that was given."""
    value: T | None = getattr(overrides, name)
    dashed = name.replace("_", "-")
    return None if value is None else Value(value, dashed, f"option {dashed}")
