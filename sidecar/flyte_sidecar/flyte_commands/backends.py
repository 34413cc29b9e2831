"""The embedded store, and the deployment that the `flyte` CLI is configured for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module

import rich_click as click
from msgspec import Struct
from msgspec.structs import replace

from flyte_sidecar.backends.flyte import NoEndpoint
from flyte_sidecar.errors import SidecarError
from flyte_sidecar.events.outcome_text import MAX_TEXT_LENGTH
from flyte_sidecar.events.plain_text import one_line, sanitize
from flyte_sidecar.server.settings import (
    BackendKind,
    Options,
    flyte_config,
    store_path,
)


class Selected(Struct, frozen=True):
    """The backends of a command.

    Attributes
    ----------
    options
        Their options.
    problems
        Why a deployment that is configured cannot be used, as a sentence.
    """

    options: Options
    problems: tuple[str, ...] = ()

    def each(self) -> list[Options]:
        """Return the options of each backend alone, the store first."""
        if self.options.backend != "all":
            return [self.options]
        return [Options(store=self.options.store), replace(self.options, backend="flyte")]


def select(context: click.Context, project: str | None, domain: str | None) -> Selected:
    """Return the backends that the options of the CLI and of the command select.

    With a project or a domain, this is the one that has them: the store if they are `local`.
    Otherwise these are both, if a deployment is configured.

    Raises
    ------
    click.UsageError
        If the path of the store is invalid, or the project and domain are those of a deployment,
        and none is configured.
    """
    scope = (project, domain)
    try:
        local = Options(store=store_path(None))
    except (OSError, RuntimeError, ValueError) as error:
        raise click.UsageError(sanitize(str(error))) from None
    if "local" in scope and {*scope} <= {"local", None}:
        return Selected(local)
    cli = context.find_root().params
    if auth_type := cli.get("auth_type"):
        sdk = import_module("flyte.cli._common")
        os.environ["FLYTE_AUTH_TYPE"] = sdk.sanitize_auth_type(auth_type)
    backend: BackendKind = "all" if scope == (None, None) else "flyte"
    try:
        options = Options(
            backend=backend,
            store=local.store,
            config=cli.get("config_file"),
            endpoint=cli.get("endpoint"),
            insecure=cli.get("insecure"),
            org=cli.get("org"),
            project=project,
            domain=domain,
        )
        flyte_config(options)
    except ValueError as error:
        if backend == "flyte":
            raise click.UsageError(sanitize(str(error))) from None
        if isinstance(error, NoEndpoint):
            return Selected(local)
        return Selected(local, (sanitize(f"The deployment is not used: {error}"),))
    return Selected(options)


def message_of(error: SidecarError) -> str:
    """Return the message of an error as one line."""
    return one_line(error.message, MAX_TEXT_LENGTH)


def failure(message: str, problems: Sequence[str] = ()) -> click.ClickException:
    """Return the error of a command, with the problems of backends on further lines."""
    return click.ClickException("\n".join([message, *problems]))
