"""The commands in a group with the options of the SDK's CLI that they use."""

from __future__ import annotations

import rich_click as click

from flyte_sidecar.flyte_commands.commands import answer, pending


@click.group()
@click.option("--endpoint")
@click.option("--insecure", is_flag=True, default=None)
@click.option("--org")
@click.option("--config", "config_file")
@click.option("--auth-type")
def cli(**_: object) -> None:
    pass


cli.add_command(answer)
cli.add_command(pending)

if __name__ == "__main__":
    cli()
