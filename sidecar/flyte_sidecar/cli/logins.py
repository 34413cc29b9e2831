"""What the verbs print about logins at a Flyte deployment."""

from __future__ import annotations

from flyte_sidecar.backends.flyte import Deployment, FlyteBackend


def is_personal(deployment: Deployment) -> bool:
    """Return whether a person logs in, so that the login is stored."""
    personal = deployment.credentials.auth_type in ("Pkce", "DeviceFlow")
    return personal and not deployment.insecure


async def describe_login(backend: FlyteBackend) -> str:
    """Return the kind of login and where it is stored; sends nothing."""
    deployment, store = backend.deployment, backend.login_store
    credentials = deployment.credentials
    parts: list[str] = []
    if is_personal(deployment):
        stored = await store.read()
        parts.append(credentials.auth_type)
        if stored is not None:
            parts.append(f"stored in {stored.place.name}")
        else:
            parts.append("not stored" if store.failure is None else f"not stored: {store.failure}")
    elif deployment.insecure:
        parts.append("none, because the connection is insecure")
    else:
        parts.append(f"{credentials.auth_type} ({credentials.source})")
    if credentials.proxy_command is not None:
        parts.append(f"with a token for a proxy ({credentials.proxy_command_source})")
    return ", ".join(parts)
