"""A Flyte deployment: its config, the login, and what it permits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

from flyte_sidecar.backends.flyte import Config, FlyteBackend, NoEndpoint
from flyte_sidecar.cli.checks.failures import advice_for
from flyte_sidecar.cli.checks.finding import Finding, failed, ok, skipped, warning
from flyte_sidecar.cli.checks.network import NetworkChecks
from flyte_sidecar.cli.checks.run import Check, found
from flyte_sidecar.cli.checks.selection import describe_scope
from flyte_sidecar.cli.logins import describe_login
from flyte_sidecar.errors import (
    BackendUnavailable,
    PermissionDenied,
    SidecarError,
    Unauthenticated,
    UnsupportedByBackend,
)
from flyte_sidecar.server.settings import Options, flyte_config, make_flyte_backend

KEYRING_TIMEOUT = 5.0
"""Seconds for reading the stored login."""


def deployment_checks(options: Options, closing: AsyncExitStack) -> list[Check]:
    """Return the checks of a deployment in order; with an invalid config, only that of the config.

    Parameters
    ----------
    closing
        Closes the connection.
    """
    try:
        config = flyte_config(options)
    except ValueError as error:
        advice = "correct it, or select another file: --config PATH"
        if isinstance(error, NoEndpoint):
            advice = "flyte create config --endpoint HOST writes a config; or use --endpoint HOST"
        return [Check("deployment", found(failed("deployment", str(error), advice)))]
    checks = DeploymentChecks(options, make_flyte_backend(options))
    closing.push_async_callback(checks.close)
    return [Check("config", found(*_config(config))), *checks.checks]


def _config(config: Config) -> Iterator[Finding]:
    """Yield each value of the config with its source; secrets are masked."""
    deployment = config.deployment
    yield ok("config file", deployment.config_file or "none")
    for reason in config.skipped:
        yield ok("not used", reason)
    for setting in config.settings:
        yield ok("setting", f"{setting.name}: {setting.text} ({setting.source})")
    if (proxy := deployment.proxy) is not None:
        yield ok("proxy", f"{proxy.address} (from {proxy.variable})")


class DeploymentChecks:
    """The checks of a deployment. No login is started, and nothing is changed."""

    def __init__(self, options: Options, backend: FlyteBackend) -> None:
        self._options = options
        self._backend = backend
        self._deployment = backend.deployment
        self._network = NetworkChecks(backend.deployment)
        self._responds = False
        self.checks: list[Check] = [
            Check("name", self._network.check_name),
            Check("connection", self._network.check_connection),
            Check("TLS", self._network.check_tls),
            Check("endpoint", self._check_endpoint),
            Check("scope", self._check_scope),
            Check("answers", self._check_answers),
        ]

    async def close(self) -> None:
        """Close the connection."""
        await self._backend.close()

    async def _check_endpoint(self) -> Sequence[Finding]:
        """Return whether the deployment responds, whether it accepts the login, and how."""
        address = self._deployment.address
        try:
            async with asyncio.timeout(KEYRING_TIMEOUT):
                login = await describe_login(self._backend)
        except TimeoutError:
            advice = "unlock it, perhaps in a window elsewhere; or do without stored logins:"
            advice += " FLYTE_ADMIN_DISABLEKEYRING=true"
            detail = f"the keyring has not responded within {KEYRING_TIMEOUT:g} s"
            return [failed("login", detail, advice)]
        if not self._network.works:
            unknown = "not tried, because there is no connection"
            return [skipped("endpoint", unknown), skipped("login", f"{login} ({unknown})")]
        try:
            await self._backend.check()
        except SidecarError as error:
            return await self._failure(error, login)
        self._responds = True
        return [
            ok("endpoint", f"{address} responds"),
            ok("transport", self._backend.protocol or "unknown"),
            ok("login", login),
        ]

    async def _failure(self, error: SidecarError, login: str) -> list[Finding]:
        """Return what an error of a request means."""
        advice = advice_for(error, self._options, self._deployment)
        if isinstance(error, Unauthenticated):
            responds = ok("endpoint", f"{self._deployment.address} responds")
            reason = error.message.removeprefix(f"{self._deployment.route}: ")
            return [responds, failed("login", f"{login}; {reason}", advice)]
        if isinstance(error, PermissionDenied):
            responds = ok("endpoint", f"{self._deployment.address} responds")
            return [responds, ok("login", login), failed("permission", error.message, advice)]
        if isinstance(error, BackendUnavailable) and await self._network.uses_tls():
            advice = "the server uses TLS: remove --insecure (admin.insecure: false)"
        unknown = skipped("login", f"{login} (not tried, because no request succeeds)")
        return [failed("endpoint", error.message, advice), unknown]

    async def _check_scope(self) -> Sequence[Finding]:
        """Return whether the default project and domain exist."""
        backend = self._backend
        scope = describe_scope(backend)
        if not (backend.project and backend.domain):
            detail = f"{scope}: there is no default project or domain, and a request needs both"
            advice = "use --project P --domain D, or set task.project and task.domain in the config"
            return [warning("scope", detail, advice)]
        if not self._responds:
            return [skipped("scope", f"{scope} (not checked)")]
        problem = await backend.scope_error()
        if problem is not None:
            advice = "correct --project and --domain, or task.project and task.domain"
            return [failed("scope", f"{scope}: {problem}", advice)]
        return [ok("scope", scope)]

    async def _check_answers(self) -> Sequence[Finding]:
        """Return whether events can be answered."""
        if not self._responds:
            return []
        try:
            await self._backend.check_answers()
        except UnsupportedByBackend as error:
            advice = "upgrade the deployment to Flyte 2.0.28 or later; until then, events are shown"
            return [failed("answers", error.message, advice)]
        except PermissionDenied as error:
            advice = "ask the deployment's administrators for the permission to signal events"
            return [failed("answers", error.message, advice)]
        except SidecarError as error:
            return [skipped("answers", error.message)]
        return [ok("answers", "events can be answered")]
